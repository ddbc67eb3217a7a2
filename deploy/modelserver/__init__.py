"""The embedded model server: a small local model behind Ollama's own HTTP API.

Runs as ``python -m deploy.modelserver`` where no Ollama is found; the broker can't tell the two apart.
"""
