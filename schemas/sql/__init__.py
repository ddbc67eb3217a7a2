"""The migrations, in the order of their names; `gateway.migrations` applies each once."""
