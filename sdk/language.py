"""What an editor has to know about `platform_sdk`: names, signatures and help, out of the module's own source, as JSON.

    python -m sdk.language > gateway/web/src/builder/language/platform_sdk.json

The source is read, not imported: the module works only inside the sandbox.
"""

import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("platform_sdk.py")
_SECTION = re.compile(r"^(Args|Arguments|Attributes|Returns|Yields|Raises|Example|Examples):$")
_ENTRY = re.compile(r"^(\*{0,2}[A-Za-z_][\w.]*(?:, [A-Za-z_][\w.]*)*)(?: \([^)]*\))?:\s+(.*)$")


def describe(source: str) -> dict[str, Any]:
    """The public names of a module: ``{"module", "documentation", "names": [Name, …]}`` in the order of ``__all__``.

    A Name is ``{"name", "kind", "signature", "parameters", "documentation", "members"}``; ``kind`` is ``function``,
    ``class``, ``constant``, ``method``, ``attribute`` or ``key`` (of a dict with a shape). ``parameters`` is a list of
    ``{"name", "label", "documentation", "default", "keyword_only"}`` and null for what can't be called; each ``label``
    stands in ``signature``, in this order. Documentation is Markdown.

    Raises:
        SyntaxError: the source does not compile.
        ValueError: ``__all__`` names what the module does not define.
    """
    module = ast.parse(source)
    found: dict[str, dict[str, Any]] = {}
    # Shapes are declared for type checkers only.
    shapes = [shape for node in module.body if isinstance(node, ast.If) for shape in node.body]
    body = [shape for shape in shapes if isinstance(shape, ast.ClassDef)] + module.body
    for node, following in _with_following(body):
        described = _describe_statement(node, following)
        if described is not None:
            found[described["name"]] = described
    public = _public_names(module) or [name for name in found if not name.startswith("_")]
    if missing := [name for name in public if name not in found]:
        raise ValueError(f"__all__ names what is not there: {', '.join(missing)}")
    return {
        "module": "platform_sdk",
        "documentation": _markdown(ast.get_docstring(module) or ""),
        "names": [found[name] for name in public],
    }


def _public_names(module: ast.Module) -> list[str]:
    for node in module.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            names: list[str] = ast.literal_eval(node.value)
            return names
    return []


def _with_following(body: list[ast.stmt]) -> list[tuple[ast.stmt, ast.stmt | None]]:
    return list(zip(body, [*body[1:], None], strict=True))


def _describe_statement(node: ast.stmt, following: ast.stmt | None) -> dict[str, Any] | None:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return _function(node, "function")
    if isinstance(node, ast.ClassDef):
        return _class(node)
    return _constant(node, following, "constant")


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef, kind: str) -> dict[str, Any]:
    sections = _sections(ast.get_docstring(node) or "")
    parameters = _parameters(node.args, sections.get("Args", {}), skip_first=kind == "method")
    labels = [parameter["label"] for parameter in parameters]
    stars = [i for i, parameter in enumerate(parameters) if parameter["keyword_only"]]
    if stars and not node.args.vararg:
        labels.insert(stars[0], "*")
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return {
        "name": node.name,
        "kind": kind,
        "signature": f"{node.name}({', '.join(labels)}){returns}",
        "parameters": parameters,
        "documentation": sections["text"],
        "members": [],
    }


def _parameters(arguments: ast.arguments, helps: dict[str, str], *, skip_first: bool) -> list[dict[str, Any]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    plain = list(zip(positional, [*defaults, *arguments.defaults], strict=True))[1 if skip_first else 0 :]
    listed = [(argument, default, False, "") for argument, default in plain]
    if arguments.vararg:
        listed.append((arguments.vararg, None, False, "*"))
    keywords = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    listed += [(argument, default, True, "") for argument, default in keywords]
    if arguments.kwarg:
        listed.append((arguments.kwarg, None, False, "**"))
    described = []
    for argument, default, keyword_only, stars in listed:
        label = stars + argument.arg
        if argument.annotation:
            label += f": {ast.unparse(argument.annotation)}"
        value = None if default is None else ast.unparse(default)
        if value is not None:
            label += f" = {value}" if argument.annotation else f"={value}"
        described.append(
            {
                "name": argument.arg,
                "label": label,
                "documentation": helps.get(argument.arg, ""),
                "default": value,
                "keyword_only": keyword_only,
            }
        )
    return described


def _class(node: ast.ClassDef) -> dict[str, Any]:
    members: list[dict[str, Any]] = []
    for statement, following in _with_following(node.body):
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            members += _instance_attributes(statement)
        elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and not statement.name.startswith("_"):
            decorators = {ast.unparse(decorator) for decorator in statement.decorator_list}
            if "property" in decorators:
                members.append(_attribute(statement.name, statement.returns, ast.get_docstring(statement) or ""))
            else:
                members.append(_function(statement, "method"))
        elif (constant := _constant(statement, following, "attribute")) and not constant["name"].startswith("_"):
            members.append(constant)
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    if bases == "TypedDict":
        members = [{**member, "kind": "key"} for member in members]
    return {
        "name": node.name,
        "kind": "class",
        "signature": f"class {node.name}({bases})" if bases else f"class {node.name}",
        "parameters": None,
        "documentation": _sections(ast.get_docstring(node) or "")["text"],
        "members": members,
    }


def _instance_attributes(start: ast.FunctionDef) -> list[dict[str, Any]]:
    types = {argument.arg: argument.annotation for argument in [*start.args.args, *start.args.kwonlyargs]}
    found = []
    for node in start.body:
        target: ast.expr | None = None
        annotation: ast.expr | None = None
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            annotation = types.get(node.value.id) if isinstance(node.value, ast.Name) else None
        elif isinstance(node, ast.AnnAssign):
            target, annotation = node.target, node.annotation
        if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self" and target.attr[0] != "_":
            found.append(_attribute(target.attr, annotation, ""))
    return found


def _constant(node: ast.stmt, following: ast.stmt | None, kind: str) -> dict[str, Any] | None:
    target: ast.expr | None = None
    annotation: ast.expr | None = None
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
    elif isinstance(node, ast.AnnAssign):
        target, annotation = node.target, node.annotation
    if not isinstance(target, ast.Name) or target.id == "__all__":
        return None
    text = ""
    if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
        text = following.value.value if isinstance(following.value.value, str) else ""
    described = _attribute(target.id, annotation, text)
    if kind == "constant" and isinstance(node, ast.Assign):
        described["signature"] = f"{target.id} = {ast.unparse(node.value)}"
    return {**described, "kind": kind}


def _attribute(name: str, annotation: ast.expr | None, text: str) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "attribute",
        "signature": f"{name}: {ast.unparse(annotation)}" if annotation else name,
        "parameters": None,
        "documentation": _markdown(text),
        "members": [],
    }


def _sections(docstring: str) -> dict[str, Any]:
    """``text``: all but the arguments, as Markdown; ``Args``: what is said of each of them."""
    lines = docstring.splitlines()
    kept: list[str] = []
    helps: dict[str, str] = {}
    section, name = "", ""
    for line in lines:
        heading = _SECTION.match(line)
        if heading:
            section = "Args" if heading.group(1) in ("Args", "Arguments") else heading.group(1)
            if section != "Args":
                kept += ["", f"**{section}**", ""]
            continue
        if section and line and not line.startswith(" "):
            section = ""
        if section == "Args":
            entry = _ENTRY.match(line.strip()) if line.startswith("    ") and not line.startswith("     ") else None
            if entry:
                name = entry.group(1).lstrip("*")
                helps[name] = entry.group(2)
            elif name and line.strip():
                helps[name] += f" {line.strip()}"
        elif section in ("Raises", "Attributes") and (entry := _ENTRY.match(line.strip())):
            kept.append(f"- `{entry.group(1)}`: {entry.group(2)}")
        elif section in ("Raises", "Returns", "Yields", "Attributes"):
            kept.append(line.strip())
        else:
            kept.append(line)
    return {"text": _markdown("\n".join(kept)), "Args": {key: _markdown(text) for key, text in helps.items()}}


def _markdown(text: str) -> str:
    """Docstring text as Markdown: double backquotes and colons become single ones, runs of empty lines one."""
    single = re.sub(r"::$", ":", re.sub(r"``(.+?)``", r"`\1`", text), flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", single).strip()


def main() -> None:
    """Print the description of `platform_sdk`."""
    described = describe(SOURCE.read_text(encoding="utf-8"))
    sys.stdout.write(json.dumps(described, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
