"""Plugins without a sandbox, for development where WasmEdge is not (``WASMFORGE_SANDBOX=insecure-subprocess``).

A plugin runs in an ordinary process of this machine's Python. It speaks the same frames and behaves like one in the
sandbox as far as that is cheap to have; nothing here keeps a plugin in that wants out.
"""
