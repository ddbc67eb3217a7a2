"""The only service that knows where the models are: checks what plugins ask of them and passes it on."""
