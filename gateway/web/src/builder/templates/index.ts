/** What a plugin can begin from. */
import type { InputType } from "../../api/types";
import codeReview from "./code_review.py?raw";
import hello from "./hello.py?raw";
import extract from "./extract.py?raw";
import fileFacts from "./file_facts.py?raw";
import jsonReport from "./json_report.py?raw";
import many from "./many.py?raw";
import nearest from "./nearest.py?raw";
import sentiment from "./sentiment.py?raw";
import story from "./story.py?raw";
import summarize from "./summarize.py?raw";
import tools from "./tools.py?raw";
import translate from "./translate.py?raw";

export interface Template {
  id: string;
  title: string;
  about: string;
  source: string;
  inputType: InputType;
  hint: string;
  /** Something to try it with. */
  sample: string;
}

const ARTICLE =
  "The city council approved a new transport plan on Tuesday. Twelve electric bus lines will open over the next three years, paid for by a regional climate grant and a small rise in parking fees downtown. Supporters expect shorter commutes for about 30,000 residents; opponents fear that shops will lose customers.";

export const TEMPLATES: readonly Template[] = [
  { id: "hello", title: "Hello", about: "Input in, output out. Calls no model.", source: hello, inputType: "text", hint: "A name", sample: "Ada" },
  {
    id: "summarize",
    title: "Summarise",
    about: "One model call: a text, made short.",
    source: summarize,
    inputType: "text",
    hint: "A text of up to 3,500 characters",
    sample: ARTICLE,
  },
  {
    id: "sentiment",
    title: "Several steps",
    about: "Rates a text, works on the answer in Python, asks again. Sends JSON.",
    source: sentiment,
    inputType: "text",
    hint: "A review or a message",
    sample: "The room was lovely and the staff kind, but the lift did not work and breakfast was cold.",
  },
  {
    id: "translate",
    title: "Translate",
    about: "Into the language that the first line names.",
    source: translate,
    inputType: "text",
    hint: "An optional line such as 'to: French', then the text",
    sample: "to: French\nGood morning, everybody. The meeting begins at ten.",
  },
  {
    id: "code_review",
    title: "Code review",
    about: "Three questions about code, each answer sent when it is there.",
    source: codeReview,
    inputType: "text",
    hint: "Code of up to 3,000 characters",
    sample: 'def average(values=[]):\n    total = 0\n    for value in values:\n        total += value\n    return total / len(values)\n',
  },
  {
    id: "extract",
    title: "Facts as JSON",
    about: "A model's answer that follows a JSON schema, checked against the text.",
    source: extract,
    inputType: "text",
    hint: "A text that names people, places or dates",
    sample: "On 4 May 1843 Ada Lovelace wrote to Charles Babbage from London.",
  },
  {
    id: "story",
    title: "Words as they come",
    about: "Streams a model's answer to whoever reads it.",
    source: story,
    inputType: "text",
    hint: "What the story is about",
    sample: "a lighthouse that is afraid of the dark",
  },
  {
    id: "many",
    title: "Many at once",
    about: "Asks about several lines at the same time and sends a table.",
    source: many,
    inputType: "text",
    hint: "Up to ten messages, one a line",
    sample: "When do you open on Sunday?\nMy parcel came broken.\nThank you, everything was perfect!",
  },
  {
    id: "tools",
    title: "Functions for the model",
    about: "A conversation in which the model may call a function of yours.",
    source: tools,
    inputType: "text",
    hint: "A question about a date",
    sample: "How many days is it until 2030-01-01?",
  },
  {
    id: "nearest",
    title: "Near in meaning",
    about: "Compares lines by their vectors. Sends JSON.",
    source: nearest,
    inputType: "text",
    hint: "What to look for, then a line for each text",
    sample: "a young dog\nThe puppy sleeps.\nShares fell on Monday.\nCats are independent.",
  },
  {
    id: "json_report",
    title: "JSON in, table out",
    about: "Adds up orders. Calls no model.",
    source: jsonReport,
    inputType: "json",
    hint: 'A list such as [{"customer": "Ada", "amount": 12.5}]',
    sample: '[\n  {"customer": "Ada", "amount": 12.5},\n  {"customer": "Grace", "amount": 30},\n  {"customer": "Ada", "amount": 7.25}\n]',
  },
  {
    id: "file_facts",
    title: "Any file",
    about: "Works on bytes: size, type and digest of a file. Calls no model.",
    source: fileFacts,
    inputType: "file",
    hint: "Any file",
    sample: "",
  },
];

export const FIRST = TEMPLATES[0] as Template;
