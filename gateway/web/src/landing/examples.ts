/** What the landing page runs; small enough to be read at a glance. */
interface Example {
  name: string;
  source: string;
  input: string;
}

const TEXT = "The city council approved twelve electric bus lines. Opponents fear the higher parking fees; supporters expect shorter ways to work for 30,000 people.";

export const EXAMPLES: [Example, ...Example[]] = [
  {
    name: "Count words",
    source: `from collections import Counter
from platform_sdk import get_input, send_output

words = get_input().lower().split()
send_output({
    "words": len(words),
    "longest": max(words, key=len, default=""),
    "most_common": Counter(words).most_common(3),
})
`,
    input: TEXT,
  },
  {
    name: "Ask a model",
    source: `from platform_sdk import call_ai, get_input, send_output

send_output(call_ai(
    "qwen2.5:1.5b",
    "Summarize in one sentence: " + get_input(),
    options={"num_predict": 60},
))
`,
    input: TEXT,
  },
];
