"""The part of WasmEdge's C API (0.14, ``wasmedge/wasmedge.h``) that the sandbox uses, through ctypes.

Ownership: what a ``…Create`` returns is ours until it is handed to an ``…Add…`` or ``…Register…``; the sandbox lives as
long as its process, so nothing is ever freed. Callbacks must stay referenced from Python as long as WasmEdge may call.
"""

import ctypes
import struct
from collections.abc import Callable, Sequence
from typing import Any, Final, NewType

Pointer = NewType("Pointer", int)

SUCCESS: Final = 0
TERMINATE: Final = 1
"""`WasmEdge_Result_Terminate`: unwinds the native stack and leaves the guest's memory as it is."""
FAIL: Final = 2
_CODE_MASK: Final = 0xFFFFFF
_HAS_MAX: Final = 1
_MOST_PAGES: Final = 65536
"""Of a 32-bit memory."""

_VALUE_BYTES: Final = 32
_I32_TAG: Final = b"\x00\x00\x7f\x40\x00\x00\x00\x00"


class _String(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint32), ("buffer", ctypes.c_char_p))


class _Limit(ctypes.Structure):
    _fields_ = (
        ("has_max", ctypes.c_bool),
        ("shared", ctypes.c_bool),
        ("min", ctypes.c_uint32),
        ("max", ctypes.c_uint32),
    )


class _InnerLimit(ctypes.Structure):
    # ``AST::Limit`` (include/ast/type.h), with which an instance's memory type begins.
    _fields_ = (("kind", ctypes.c_uint8), ("min", ctypes.c_uint32), ("max", ctypes.c_uint32))


class _Result(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint32),)


class _ValueType(ctypes.Structure):
    _fields_ = (("data", ctypes.c_uint8 * 8),)


class _Value(ctypes.Structure):
    # A 128-bit integer and a type: 32 bytes with the padding that a 128-bit integer asks for, so it travels in memory.
    _fields_ = (
        ("low", ctypes.c_uint64),
        ("high", ctypes.c_uint64),
        ("type", _ValueType),
        ("padding", ctypes.c_uint64),
    )


_P = ctypes.c_void_p
_U32 = ctypes.c_uint32
_HostFunction = ctypes.CFUNCTYPE(_U32, _P, _P, _P, _P)

Import = tuple[str, str, bool, Callable[..., int]]
"""Name, parameter types (``i``: 32 bits, ``I``: 64 bits), whether it returns an errno, and what it does."""


class WasmEdgeError(Exception):
    """WasmEdge refused; ``code`` is its error code."""

    def __init__(self, what: str, code: int) -> None:
        super().__init__(f"WasmEdge: {what} failed with error {code:#x}")
        self.code = code


class Terminated(Exception):
    """Raised by an import to end the running invocation at once."""


class Instance:
    """An instantiated module: its memory, one callable table, one stack pointer.

    Args:
        engine: path of the compiled module.
        imports: every function the module imports from ``wasi_snapshot_preview1``.

    Raises:
        WasmEdgeError: the module can't be loaded or does not fit the imports.
    """

    def __init__(self, engine: str, imports: Sequence[Import]) -> None:
        self._library = ctypes.CDLL("libwasmedge.so.0")
        self._bind()
        # WasmEdge logs to standard output, which here must stay silent.
        self._fn("LogOff", None)()
        configuration = self._fn("ConfigureCreate", _P)()
        self._fn("ConfigureSetMaxMemoryPage", None, _P, _U32)(configuration, _MOST_PAGES)
        self._vm = self._fn("VMCreate", _P, _P, _P)(configuration, None)
        self._callbacks: list[object] = []
        self._register(imports)
        self._check(self._fn("VMLoadWasmFromFile", _Result, _P, ctypes.c_char_p)(self._vm, engine.encode()), "load")
        self._check(self._fn("VMValidate", _Result, _P)(self._vm), "validate")
        self._check(self._fn("VMInstantiate", _Result, _P)(self._vm), "instantiate")
        self._executor = self._fn("VMGetExecutorContext", _P, _P)(self._vm)
        module = self._fn("VMGetActiveModule", _P, _P)(self._vm)
        self._memory = self._fn("ModuleInstanceFindMemory", _P, _P, _String)(module, self._string("memory"))
        self._table = self._fn("ModuleInstanceFindTable", _P, _P, _String)(module, self._string("fn_table"))
        self._stack = self._fn("ModuleInstanceFindGlobal", _P, _P, _String)(module, self._string("stack_pointer"))

    def start(self) -> int:
        """Run ``_start``; returns WasmEdge's error code, `TERMINATE` if an import ended it."""
        result = self._fn("VMExecute", _Result, _P, _String, _P, _U32, _P, _U32)(
            self._vm, self._string("_start"), None, 0, None, 0
        )
        return int(result.code) & _CODE_MASK

    def memory_pages(self) -> int:
        """Current size of linear memory in 64 KiB pages."""
        return int(self._page_size(self._memory))

    def memory_address(self) -> int:
        """Where linear memory begins in this process; it stays there, since WasmEdge reserves the whole range."""
        return int(
            self._fn("MemoryInstanceGetPointer", _P, _P, _U32, _U32)(self._memory, 0, self.memory_pages() * 65536)
        )

    def memory_limiter(self) -> Callable[[int], None]:
        """A callable that lets linear memory grow to so many pages of 64 KiB and no further.

        `ConfigureSetMaxMemoryPage` counts when a module is instantiated, which happens in the base process, for
        plugins of all limits. What ``growPage`` looks at first is the maximum of the memory's type, and the API hands
        out where that is, though only to be read.

        Raises:
            WasmEdgeError: this WasmEdge keeps the maximum elsewhere; nothing has been changed.
        """
        kind = self._fn("MemoryInstanceGetMemoryType", _P, _P)(self._memory)
        read = self._fn("MemoryTypeGetLimit", _Limit, _P)
        before = read(kind)
        # SAFETY: the type is alive as long as the memory; a layout other than this one is noticed before any write.
        inner = _InnerLimit.from_address(kind)
        if inner.min != before.min or inner.kind != before.has_max or inner.max != before.max:
            raise WasmEdgeError("limiting memory (its type has another layout)", 0)

        def limit(pages: int) -> None:
            inner.kind, inner.max = _HAS_MAX, pages

        limit(_MOST_PAGES)
        after = read(kind)
        if not after.has_max or after.max != _MOST_PAGES or after.min != before.min:
            raise WasmEdgeError("limiting memory (the limit is not taken)", 0)
        return limit

    def stack_pointer(self) -> _Value:
        """The guest's stack pointer, to be handed to `set_stack_pointer`."""
        value: _Value = self._fn("GlobalInstanceGetValue", _Value, _P)(self._stack)
        return value

    def set_stack_pointer(self, value: _Value) -> None:
        """Put the guest's stack pointer back."""
        self._set_global(self._stack, value)

    def function(self, slot: int) -> Pointer:
        """The function in a slot of the module's function table."""
        value = _Value()
        get = self._fn("TableInstanceGetData", _Result, _P, _P, _U32)
        self._check(get(self._table, ctypes.byref(value), slot), f"table slot {slot}")
        found = self._fn("ValueGetFuncRef", _P, _Value)(value)
        if not found:
            raise WasmEdgeError(f"table slot {slot}", 0)
        return Pointer(found)

    def prepare_call(self, function: Pointer, *arguments: int) -> Callable[[], tuple[int, int]]:
        """A callable that invokes ``function`` with these 32-bit arguments: () → (error code, result)."""
        generate = self._fn("ValueGenI32", _Value, ctypes.c_int32)
        parameters = (_Value * len(arguments))(*(generate(argument) for argument in arguments))
        returned = (_Value * 1)()
        invoke = self._fn("ExecutorInvoke", _Result, _P, _P, _P, _U32, _P, _U32)
        count, executor = len(arguments), self._executor

        def call() -> tuple[int, int]:
            result = invoke(executor, function, parameters, count, returned, 1)
            return result.code & _CODE_MASK, returned[0].low

        return call

    def _bind(self) -> None:
        self._page_size = self._fn("MemoryInstanceGetPageSize", _U32, _P)
        self._set_global = self._fn("GlobalInstanceSetValue", None, _P, _Value)
        self._new_string = self._fn("StringCreateByCString", _String, ctypes.c_char_p)

    def _fn(self, name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
        function = self._library["WasmEdge_" + name]  # by item: a new object each time, so types never clash
        function.restype = result
        function.argtypes = arguments
        return function

    def _string(self, text: str) -> _String:
        made: _String = self._new_string(text.encode())
        return made

    @staticmethod
    def _check(result: _Result, what: str) -> None:
        code = result.code & _CODE_MASK
        if code:
            raise WasmEdgeError(what, code)

    def _register(self, imports: Sequence[Import]) -> None:
        module = self._fn("ModuleInstanceCreate", _P, _String)(self._string("wasi_snapshot_preview1"))
        kinds = {"i": self._fn("ValTypeGenI32", _ValueType)(), "I": self._fn("ValTypeGenI64", _ValueType)()}
        new_type = self._fn("FunctionTypeCreate", _P, _P, _U32, _P, _U32)
        new_function = self._fn("FunctionInstanceCreate", _P, _P, _HostFunction, _P, ctypes.c_uint64)
        add = self._fn("ModuleInstanceAddFunction", None, _P, _String, _P)
        for name, parameters, returns, implementation in imports:
            types = (_ValueType * max(1, len(parameters)))(*(kinds[kind] for kind in parameters))
            results = (_ValueType * 1)(kinds["i"])
            callback = _HostFunction(_callback(implementation, parameters, returns))
            self._callbacks.append(callback)
            signature = new_type(types, len(parameters), results, int(returns))
            add(module, self._string(name), new_function(signature, callback, None, 0))
        self._check(
            self._fn("VMRegisterModuleFromImport", _Result, _P, _P)(self._vm, module), "registering the imports"
        )


def _callback(implementation: Callable[..., int], parameters: str, returns: bool) -> Callable[..., int]:
    """Wrap an import: values in, an errno out. Nothing that happens inside may reach ctypes, which would print it."""
    decode = struct.Struct("<" + "".join("I28x" if kind == "i" else "Q24x" for kind in parameters))
    size = decode.size
    encode_i32 = struct.Struct("<QQ8s").pack

    def call(_data: int, _frame: int, values: int, results: int) -> int:
        try:
            # WasmEdge hands an array of exactly as many values as the signature says.
            errno = implementation(*decode.unpack(ctypes.string_at(values, size))) if size else implementation()
            if returns:
                ctypes.memmove(results, encode_i32(errno, 0, _I32_TAG), 24)
        except Terminated:
            return TERMINATE
        except BaseException:  # noqa: BLE001
            return FAIL
        return SUCCESS

    return call
