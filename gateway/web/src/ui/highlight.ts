/** Colours for source text. Loaded lazily; a language that is not listed here stays plain. */
import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import python from "highlight.js/lib/languages/python";

hljs.registerLanguage("bash", bash);
hljs.registerLanguage("javascript", javascript);
hljs.registerLanguage("json", json);
hljs.registerLanguage("python", python);

export type Language = "bash" | "javascript" | "json" | "python";

/** HTML with the text escaped and its words in spans. */
export const highlight = (code: string, language: Language): string =>
  hljs.highlight(code, { language, ignoreIllegals: true }).value;
