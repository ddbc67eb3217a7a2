"""What ``wasmedge ENGINE -c SOURCE`` does, through WasmEdge's C API: load the compiled CPython, run one plugin, end.

The original started such a process for each call. Started through `executor.engine.launch.launcher`, since Debian's
package of the library brings no command line; arguments: the engine, the plugin's source.
"""

import ctypes
import sys

_WASI = 0  # WasmEdge_HostRegistration_Wasi
_CODE_MASK = 0xFFFFFF


class _String(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint32), ("buffer", ctypes.c_char_p))


class _Result(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint32),)


def run(engine: str, source: str) -> int:
    """Run ``source`` on standard input and output; WasmEdge's error code, 0 if it went well."""
    library = ctypes.CDLL("libwasmedge.so.0")
    pointer, number = ctypes.c_void_p, ctypes.c_uint32
    library.WasmEdge_ConfigureCreate.restype = pointer
    library.WasmEdge_ConfigureAddHostRegistration.argtypes = (pointer, ctypes.c_int)
    library.WasmEdge_VMCreate.restype = pointer
    library.WasmEdge_VMCreate.argtypes = (pointer, pointer)
    library.WasmEdge_VMGetImportModuleContext.restype = pointer
    library.WasmEdge_VMGetImportModuleContext.argtypes = (pointer, ctypes.c_int)
    library.WasmEdge_ModuleInstanceInitWASI.argtypes = (pointer, pointer, number, pointer, number, pointer, number)
    library.WasmEdge_VMRunWasmFromFile.restype = _Result
    library.WasmEdge_VMRunWasmFromFile.argtypes = (pointer, ctypes.c_char_p, _String, pointer, number, pointer, number)

    library.WasmEdge_LogOff()
    configuration = library.WasmEdge_ConfigureCreate()
    library.WasmEdge_ConfigureAddHostRegistration(configuration, _WASI)
    machine = library.WasmEdge_VMCreate(configuration, None)
    words = [b"python", b"-I", b"-S", b"-B", b"-c", source.encode()]
    arguments = (ctypes.c_char_p * len(words))(*words)
    wasi = library.WasmEdge_VMGetImportModuleContext(machine, _WASI)
    library.WasmEdge_ModuleInstanceInitWASI(wasi, arguments, len(words), None, 0, None, 0)
    name = b"_start"
    result = library.WasmEdge_VMRunWasmFromFile(machine, engine.encode(), _String(len(name), name), None, 0, None, 0)
    return int(result.code) & _CODE_MASK


if __name__ == "__main__":
    # 1 is "terminated": what proc_exit does, also with status 0.
    sys.exit(0 if run(sys.argv[1], sys.argv[2]) in (0, 1) else 1)
