"""Reviews Python code: what can be measured is measured, a model says the rest.

Input: Python source (the model sees the first 3,000 characters).
Call:  wasmforge run code_review < module.py
"""

import ast

from platform_sdk import AIError, call_ai, get_input, send_output

source = get_input()


def findings(tree: ast.Module) -> list[str]:
    """What is certain, in the order of lines."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > 50:
                found.append((node.lineno, f"{node.name} is {length} lines long"))
            if not ast.get_docstring(node) and not node.name.startswith("_"):
                found.append((node.lineno, f"{node.name} has no docstring"))
            for default in [*node.args.defaults, *node.args.kw_defaults]:
                if isinstance(default, (ast.List, ast.Dict, ast.Set)):
                    found.append((default.lineno, f"{node.name} has a mutable default, shared by all its calls"))
        elif isinstance(node, ast.ExceptHandler) and node.type is None:
            found.append((node.lineno, "a bare except also catches KeyboardInterrupt"))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
            found.append((node.lineno, f"{node.func.id} runs whatever it is given"))
    return [f"line {line}: {what}" for line, what in sorted(found)]


try:
    certain = findings(ast.parse(source))
except SyntaxError as error:
    send_output(f"line {error.lineno}: {error.msg}")
    raise SystemExit from None

send_output("Findings\n" + ("\n".join(certain) or "none"))
try:
    opinion = call_ai(
        "mistral:latest",
        "Review this Python code. Name at most three problems, each in one sentence:\n\n" + source[:3000],
        system="You are a senior Python developer.",
        options={"temperature": 0.2, "num_predict": 200},
    )
    send_output("\nReview\n" + opinion.strip())
except AIError as error:
    send_output(f"\nReview\nno model could be asked ({error.code})")
