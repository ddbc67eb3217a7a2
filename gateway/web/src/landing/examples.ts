/** What the landing page runs; small enough to be read at a glance. */
import askAModel from "./examples/ask_a_model.py?coloured";
import countWords from "./examples/count_words.py?coloured";

interface Example {
  name: string;
  source: ColouredSource;
  input: string;
}

const TEXT = "The city council approved twelve electric bus lines. Opponents fear the higher parking fees; supporters expect shorter ways to work for 30,000 people.";

export const EXAMPLES: [Example, ...Example[]] = [
  { name: "Count words", source: countWords, input: TEXT },
  { name: "Ask a model", source: askAModel, input: TEXT },
];
