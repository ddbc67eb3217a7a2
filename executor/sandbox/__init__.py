"""The sandbox process: WasmEdge, one booted CPython inside it, and one socket. Standard library only.

host ─► process ─► interpreter ─► wasmedge     one native call each, through ctypes
          │             ├─► memory             the snapshot that every call starts from
          └─► frames ◄──┴─► wasi               all that a guest can ask for
"""
