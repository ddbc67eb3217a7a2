"""Ahead-of-time compilation through WasmEdge's C API. Runs as a process of its own, inside `launch.launcher`."""

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1
_NATIVE_OUTPUT = 0  # WasmEdge_CompilerOutputFormat_Native: a plain shared object


class _Result(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint32),)


def compile_module(source: str, target: str, level: int) -> None:
    """Compile the WebAssembly file ``source`` into the shared object ``target``.

    Raises:
        RuntimeError: WasmEdge refused; its own log on standard output says why.
    """
    library = ctypes.CDLL("libwasmedge.so.0")
    pointer = ctypes.c_void_p
    library.WasmEdge_ConfigureCreate.restype = pointer
    library.WasmEdge_ConfigureCompilerSetOptimizationLevel.argtypes = (pointer, ctypes.c_int)
    library.WasmEdge_ConfigureCompilerSetOutputFormat.argtypes = (pointer, ctypes.c_int)
    library.WasmEdge_CompilerCreate.restype = pointer
    library.WasmEdge_CompilerCreate.argtypes = (pointer,)
    library.WasmEdge_CompilerCompile.restype = _Result
    library.WasmEdge_CompilerCompile.argtypes = (pointer, ctypes.c_char_p, ctypes.c_char_p)

    configuration = library.WasmEdge_ConfigureCreate()
    library.WasmEdge_ConfigureCompilerSetOptimizationLevel(configuration, level)
    library.WasmEdge_ConfigureCompilerSetOutputFormat(configuration, _NATIVE_OUTPUT)
    compiler = library.WasmEdge_CompilerCreate(configuration)
    result = library.WasmEdge_CompilerCompile(compiler, source.encode(), target.encode())
    if result.code & 0xFFFFFF:
        raise RuntimeError(f"WasmEdge could not compile the module: error {result.code:#x}")


if __name__ == "__main__":
    # Minutes of compiling for nobody must not remain when whoever waits for it is killed.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    compile_module(sys.argv[1], sys.argv[2], int(sys.argv[3]))
