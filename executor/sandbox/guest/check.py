"""Compiles a source and looks for imports that can't work; runs nothing of it."""

import ast
import json
import sys
import warnings

from .absent import REASONS
from .bundle import receive_files, text_of
from .channel import RESULT, send
from .prepare import FILE, NOISY


def check():
    """Answer the source that comes with what `schemas.messages.CheckReply` holds."""
    result = {"ok": True}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source = text_of(next(iter(receive_files().values())))
            compile(source, FILE, "exec", dont_inherit=True)
            result = _check_imports(ast.parse(source))
    except SyntaxError as error:
        result = {"ok": False, "message": str(error.msg), "line": error.lineno, "column": error.offset}
    except (RecursionError, MemoryError) as error:
        result = {"ok": False, "message": f"the source is too large or too deeply nested ({type(error).__name__})"}
    except BaseException as error:
        result = {"ok": False, "message": f"{type(error).__name__}: {error}"}
    send(RESULT + b"\0" + json.dumps(result).encode())


def _check_imports(tree):
    """The first import that is bound to fail. One inside `try` or `if` is the plugin's own affair."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Try, ast.TryStar, ast.If)):
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module] if node.module and not node.level else []
        else:
            waiting.extend(ast.iter_child_nodes(node))
            continue
        for name in names:
            if (problem := _import_problem(name)) is not None:
                return {"ok": False, "message": problem, "line": node.lineno, "column": node.col_offset + 1}
    return {"ok": True}


def _import_problem(name):
    """Why ``import name`` can't work here; None if it can."""
    top = name.partition(".")[0]
    if top in NOISY or top == "platform_sdk":
        return None
    if top not in sys.stdlib_module_names:
        return f"there is no module {name!r} in the sandbox: a plugin has the standard library and platform_sdk"
    try:
        __import__(name)
    except ImportError as error:
        missing = str(error.name or name).removeprefix("_")
        reason = REASONS.get(name) or REASONS.get(missing) or "it needs what this Python was built without"
        return f"module {name!r} can't be imported in the sandbox: {reason}"
    except BaseException:
        pass  # it is there; what it does is for the plugin to see
    return None
