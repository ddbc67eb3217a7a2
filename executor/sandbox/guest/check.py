"""Compiles a plugin's files and looks for imports that can't work; runs nothing of them."""

import ast
import gc
import json
import warnings

from .bundle import receive_files, text_of
from .channel import RESULT, send
from .imports import FUNCTION, IF, TOP, TRY, imports_of
from .resolve import Resolver

MAX_PROBLEMS = 100
_MORE_BYTES = 256 * 1024
"""Of source that nothing seems to import, which is looked at too."""


def check():
    """Answer the files that come with what `schemas.messages.CheckReply` holds."""
    # Syntax trees are all there is to collect, and this interpreter ends with the answer.
    gc.disable()
    try:
        problems = _Check(receive_files()).problems()
    except BaseException as error:
        problems = [{"message": f"{type(error).__name__}: {error}"}]
    problems.sort(key=lambda problem: problem.get("severity") == "warning")
    first = next((problem for problem in problems if problem.get("severity") != "warning"), {})
    reply = {name: first[name] for name in ("message", "file", "line", "column") if name in first}
    send(RESULT + b"\0" + json.dumps({"ok": not first, **reply, "problems": problems[:MAX_PROBLEMS]}).encode())


class _Check:
    """One plugin's files, beginning with the one that runs."""

    def __init__(self, files):
        self._files = files
        self._main = next(iter(files))
        self._resolver = Resolver(files)
        self._imports = {}
        """Of each file that was read."""
        self._problems = []

    def problems(self):
        """All that was found, in the order of files and lines."""
        for path, name in self._resolver.hidden():
            what = f"a module called {name!r} would be taken for the standard library's: rename it"
            if path != self._main:
                self._add(path, what)
        certain = self._walk((TOP, FUNCTION), (TOP,))
        possible = self._walk((TOP, FUNCTION, TRY, IF), (TOP, FUNCTION, TRY, IF))
        more_bytes = 0
        for path in sorted(self._files):
            if path.endswith(".py") and path not in possible:
                more_bytes += len(self._files[path])
                if more_bytes > _MORE_BYTES:
                    break
                possible.append(path)
        for path in possible:
            for one in self._read(path):
                self._judge(path, one, path in certain)
        order = {path: number for number, path in enumerate(possible)}
        self._problems.sort(
            key=lambda problem: (order.get(problem.get("file", self._main), -1), problem.get("line", 0))
        )
        return self._problems

    def _walk(self, of_main, of_others):
        """Paths of the main file and of all that it leads to, by imports that stand where these say."""
        reached = [self._main]
        for path in reached:
            for one in self._read(path):
                if one.where in (of_main if path == self._main else of_others):
                    name = self._resolver.absolute(path, one)
                    found = self._resolver.paths(name, one.attributes) if name else ()
                    reached += [each for each in dict.fromkeys(found) if each not in reached]
        return reached

    def _judge(self, path, one, is_reached):
        """An error is what is bound to fail in a file that is bound to run."""
        name = self._resolver.absolute(path, one)
        if name is None:
            why = "a relative import works within a package only: import it by its name"
        else:
            why = self._resolver.problem(name, one.attributes)
        if why is None or one.where == IF:
            return
        is_main = path == self._main
        if one.where == TRY:
            if is_main:
                self._add(path, f"{why}; the plugin has to do without", one.place, "warning")
        elif is_reached and (is_main or one.where == TOP):
            self._add(path, why, one.place)
        elif one.where == TOP or is_main:
            self._add(path, why, one.place, "warning")

    def _read(self, path):
        """The imports of a file; what is wrong with its syntax is noted once."""
        if path not in self._imports:
            self._imports[path] = []
            try:
                self._imports[path] = self._parse(path)
            except SyntaxError as error:
                self._add(path, str(error.msg), _place(error))
            except (RecursionError, MemoryError) as error:
                self._add(path, f"the source is too large or too deeply nested ({type(error).__name__})")
            except Exception as error:
                self._add(path, f"{type(error).__name__}: {error}")
        return self._imports[path]

    def _parse(self, path):
        data = self._files[path]
        source = text_of(data) if path == self._main else data
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", SyntaxWarning)
            compile(source, path, "exec", dont_inherit=True)
        for warning in warned:
            self._add(path, str(warning.message), {"line": warning.lineno}, "warning")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
        return imports_of(tree, source if isinstance(source, str) else source.decode("utf-8", "replace"))

    def _add(self, path, message, place=(), severity="error"):
        problem = {"message": message, "severity": severity, **dict(place)}
        if len(self._files) > 1:
            problem["file"] = path
        self._problems.append(problem)


def _place(error):
    """Line and column of a syntax error, and of its end where that is known."""
    place = {"line": error.lineno, "column": error.offset}
    if (error.end_lineno or 0) > 0 and (error.end_offset or 0) > 0:
        place |= {"end_line": error.end_lineno, "end_column": error.end_offset}
    return place
