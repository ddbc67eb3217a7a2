"""Answers a question and lets the model use two tools for it: a calculator and a clock.

Input: a question.
Call:  wasmforge run assistant "What is 12.5 % of 1,840?"

A model that can't call tools answers without them.
"""

import ast
import datetime
import operator
from collections.abc import Callable

from platform_sdk import AIError, Message, Reply, chat, get_input, send_output

MODEL = "llama3.2:latest"
OPTIONS = {"temperature": 0, "num_predict": 200}
ROUNDS = 3
OPERATORS: dict[type, Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
}


def calculate(expression: str) -> str:
    """The value of an expression with numbers, + - * / and brackets; what a model writes is not run."""

    def value(node: ast.expr) -> float:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return node.value
        if isinstance(node, ast.BinOp):
            return OPERATORS[type(node.op)](value(node.left), value(node.right))
        if isinstance(node, ast.UnaryOp):
            return OPERATORS[type(node.op)](value(node.operand))
        raise ValueError(expression)

    try:
        return f"{value(ast.parse(expression[:200], mode='eval').body):g}"
    except (ArithmeticError, KeyError, SyntaxError, ValueError, RecursionError) as error:
        return f"that can't be calculated: {type(error).__name__}"


def now() -> str:
    """Date and time."""
    return f"{datetime.datetime.now(datetime.UTC):%A, %d %B %Y, %H:%M} UTC"


CALL: dict[str, Callable[..., str]] = {"calculate": calculate, "now": now}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "calculate",
            "description": "Calculates an expression such as (3 + 4) * 2.5",
            "parameters": {
                "type": "object",
                "properties": {"expression": {"type": "string"}},
                "required": ["expression"],
            },
        },
    },
    {"type": "function", "function": {"name": "now", "description": "Tells date and time", "parameters": {}}},
]

question = get_input().strip()
if not question:
    raise SystemExit("send a question")
messages: list[Message | Reply] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": question[:3000]},
]
try:
    reply = chat(MODEL, messages, tools=TOOLS, options=OPTIONS)
    for _ in range(ROUNDS):
        if not reply["tool_calls"]:
            break
        messages.append(reply)
        for call in reply["tool_calls"]:
            try:
                result = CALL[call["name"]](**call["arguments"])
            except (KeyError, TypeError) as error:
                result = f"there is no such tool: {error}"
            print(call["name"], call["arguments"], "->", result)
            messages.append({"role": "tool", "tool_name": call["name"], "content": result})
        reply = chat(MODEL, messages, tools=TOOLS, options=OPTIONS)
except AIError as error:
    if error.code != "not_supported":
        raise
    reply = chat(MODEL, messages, options=OPTIONS)
send_output(reply["content"].strip() or "The model has no answer.")
