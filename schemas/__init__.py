"""What every part of WasmForge agrees on: subjects, headers, messages, errors, limits and the SQL.

The one package that gateway, executor, broker and sdk all import; it imports none of them.
"""

__version__ = "0.1.0"
