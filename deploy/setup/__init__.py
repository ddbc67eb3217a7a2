"""Setting a machine up. Standard library only: it runs on the plain Python that the machine has."""
