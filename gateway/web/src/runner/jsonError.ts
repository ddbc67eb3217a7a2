/** Where a text stops being JSON. `JSON.parse` says so in words that differ between browsers, or not at all. */

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const STRING = /"([^"\\\u0000-\u001f]|\\(["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const WORD = /true|false|null/y;

/** Index of the first character that can't stand where it stands; null if the text is JSON. */
export function jsonErrorAt(text: string): number | null {
  let at = 0;
  const skip = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    if (!pattern.test(text)) return false;
    at = pattern.lastIndex;
    return true;
  };
  const space = () => skip(SPACE);
  // What is open: closing marks, innermost last. A stack of our own, because nesting may be deep.
  const open: ("]" | "}")[] = [];
  const key = (): boolean => {
    if (!skip(STRING)) return false;
    space();
    if (text[at] !== ":") return false;
    at++;
    space();
    return true;
  };
  for (;;) {
    space();
    const begin = text[at];
    if (begin === "{" || begin === "[") {
      const close = begin === "{" ? "}" : "]";
      at++;
      space();
      if (text[at] !== close) {
        open.push(close);
        if (close === "}" && !key()) return at;
        continue;
      }
      at++;
    } else if (!skip(begin === '"' ? STRING : /[a-z]/.test(begin ?? "") ? WORD : NUMBER)) return at;
    // A value has ended: close what it ends, or go on to the next one.
    for (;;) {
      space();
      const inside = open.at(-1);
      if (inside === undefined) return at === text.length ? null : at;
      if (text[at] === inside) {
        open.pop();
        at++;
        continue;
      }
      if (text[at] !== ",") return at;
      at++;
      space();
      if (inside === "}" && !key()) return at;
      break;
    }
  }
}
