"""Which files of a plugin are compiled before its first call: those that its imports can lead to, and some more."""

import opcode
import sys
import types

_IMPORT_NAME, _EXTENDED_ARG = opcode.opmap["IMPORT_NAME"], opcode.opmap["EXTENDED_ARG"]
_MORE_BYTES = 256 * 1024
"""Of source that nothing seems to import: a second's work. Whatever is left is compiled when it is imported."""


def compiled(files, main, code):
    """{path: code} of modules, beginning with what ``code``, that of the file ``main``, imports.

    What can't be compiled is left out: it raises its error when it is imported.
    """
    by_name = _paths_by_name(files)
    codes = {}
    waiting = [(main, code)]
    while waiting:
        importer, imported = waiting.pop()
        for path in _reached(by_name, importer, imported):
            if path not in codes and path != main and _compile(files, path, codes):
                waiting.append((path, codes[path]))
    more_bytes = 0
    for path in sorted(path for path in files if path.endswith(".py") and path not in codes and path != main):
        more_bytes += len(files[path])
        if more_bytes > _MORE_BYTES:
            break
        _compile(files, path, codes)
    return {path: code for path, code in codes.items() if code is not None}


def imported_names(code):
    """Names that ``code`` itself imports, not what it holds (dis: IMPORT_NAME, with EXTENDED_ARG before it)."""
    argument = 0
    for operation, low in zip(code.co_code[::2], code.co_code[1::2], strict=True):
        argument = argument << 8 | low
        if operation == _IMPORT_NAME:
            yield code.co_names[argument]
        if operation != _EXTENDED_ARG:
            argument = 0


def _compile(files, path, codes):
    try:
        codes[path] = compile(files[path], path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError):
        codes[path] = None
    return codes[path] is not None


def _paths_by_name(files):
    """Every name by which a module could be imported, from the root or from a folder that is put on sys.path."""
    by_name = {}
    for path in files:
        if path.endswith(".py"):
            parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
            for start in range(len(parts)):
                by_name.setdefault(".".join(parts[start:]), []).append(path)
    return by_name


def _reached(by_name, importer, code):
    """Paths that the imports anywhere in ``code`` may mean. Rather too many: it costs compiling, no more."""
    package = importer.removesuffix(".py").replace("/", ".")
    for part in _code_within(code):
        for name in imported_names(part):
            if not name or name.partition(".")[0] not in sys.stdlib_module_names:
                for absolute in _absolute(name, package):
                    yield from by_name.get(absolute, ())
                    for attribute in part.co_names:
                        yield from by_name.get(f"{absolute}.{attribute}" if absolute else attribute, ())


def _absolute(name, package):
    """``name``, the packages on the way to it, and the same relative to where the importing module is."""
    bases = [""]
    while package:
        package = package.rpartition(".")[0]
        if package:
            bases.append(package)
    for base in bases:
        full = f"{base}.{name}".strip(".")
        yield full
        while full := full.rpartition(".")[0]:
            yield full


def _code_within(code):
    waiting = [code]
    while waiting:
        part = waiting.pop()
        yield part
        waiting.extend(const for const in part.co_consts if isinstance(const, types.CodeType))
