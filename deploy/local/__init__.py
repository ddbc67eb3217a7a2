"""The local stack: the whole platform on one machine, started, watched and stopped by one supervisor."""
