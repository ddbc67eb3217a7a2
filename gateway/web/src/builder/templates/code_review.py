"""Reviews code under three headings, each asked for on its own and sent as soon as it is there."""

from platform_sdk import AIError, call_ai, get_input, send_output

MODEL = "mistral:latest"
QUESTIONS = {
    "Bugs": "Name the bugs in this code, most serious first. Say 'none' if there are none.",
    "Security": "Name what an attacker could misuse in this code. Say 'nothing' if there is nothing.",
    "Clarity": "Name at most three changes that would make this code easier to read.",
}

code = get_input()[:3000]
if not code.strip():
    raise SystemExit("Send the code that shall be reviewed.")

for heading, question in QUESTIONS.items():
    try:
        answer = call_ai(MODEL, f"{question}\n\n{code}", options={"temperature": 0.1, "num_predict": 150})
    except AIError as error:
        answer = f"No answer: {error.code}."
    send_output(f"## {heading}\n\n{answer.strip()}\n")
