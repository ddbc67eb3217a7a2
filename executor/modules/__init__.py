"""The standard library in a plugin: ``python -m executor.modules > docs/modules.md``."""
