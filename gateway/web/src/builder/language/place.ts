/** Where in a Python source a position is: in a comment, in a string, in the arguments of which calls. */

export interface Call {
  /** The name before the bracket, dotted if it is; "" for a bracket that calls nothing. */
  callee: string;
  /** Place of the argument, from 0. */
  argument: number;
  keyword: string | null;
  /** Keywords that earlier arguments have. */
  given: string[];
  /** Whether nothing of this argument is written yet. */
  fresh: boolean;
}

export interface Place {
  comment: boolean;
  /** Offset of the first character in the string, and its quotes. */
  string: { start: number; quotes: string } | null;
  /** Innermost last. */
  calls: Call[];
}

interface Open extends Call {
  bracket: string;
  argumentStart: number;
}

/** Sources are read from the start, because a quote there decides what a quote here means; very long ones from later. */
const READ_AT_MOST = 200_000;
const QUOTES = /"""|'''|"|'/y;
const NAME_BEFORE = /([A-Za-z_][\w.]*)\s*$/;
const NOT_CALLED = new Set(["if", "while", "and", "or", "not", "in", "is", "return", "print", "elif", "else", "for", "lambda", "yield", "assert", "with", "as", "import", "from", "del", "raise", "except", "await"]);

export function placeAt(source: string, offset: number): Place {
  const from = Math.max(0, offset - READ_AT_MOST);
  const open: Open[] = [];
  let i = from;
  while (i < offset) {
    const character = source[i] as string;
    if (character === "#") {
      const end = source.indexOf("\n", i);
      if (end < 0 || end >= offset) return { comment: true, string: null, calls: calls(open, source, offset) };
      i = end + 1;
      continue;
    }
    if (character === '"' || character === "'") {
      QUOTES.lastIndex = i;
      const quotes = QUOTES.exec(source)?.[0] ?? character;
      const end = endOfString(source, i + quotes.length, quotes);
      if (end >= offset) {
        return { comment: false, string: { start: i + quotes.length, quotes }, calls: calls(open, source, offset) };
      }
      i = end + (source[end] === "\n" ? 1 : quotes.length);
      // Past the end only if the position is between the closing quotes.
      if (i > offset) i = offset;
      continue;
    }
    const inner = open.at(-1);
    if (character === "(" || character === "[" || character === "{") {
      const name = character === "(" ? (NAME_BEFORE.exec(source.slice(Math.max(from, i - 200), i))?.[1] ?? "") : "";
      const callee = NOT_CALLED.has(name) && name !== "print" ? "" : name;
      open.push({ bracket: character, callee, argument: 0, keyword: null, given: [], fresh: true, argumentStart: i + 1 });
    } else if (character === ")" || character === "]" || character === "}") {
      open.pop();
    } else if (inner && character === ",") {
      if (inner.keyword !== null) inner.given.push(inner.keyword);
      inner.argument++;
      inner.keyword = null;
      inner.argumentStart = i + 1;
    } else if (inner?.callee && character === "=" && source[i + 1] !== "=" && !"=!<>:+-*/".includes(source[i - 1] ?? "")) {
      const before = source.slice(inner.argumentStart, i).trim();
      if (inner.keyword === null && /^[A-Za-z_]\w*$/.test(before)) {
        inner.keyword = before;
        inner.argumentStart = i + 1;
      }
    }
    i++;
  }
  return { comment: false, string: null, calls: calls(open, source, offset) };
}

function calls(open: Open[], source: string, offset: number): Call[] {
  return open.map(({ callee, argument, keyword, given, argumentStart }) => ({
    callee,
    argument,
    keyword,
    given,
    fresh: /^\s*\w*$/.test(source.slice(argumentStart, offset)),
  }));
}

/** Offset of the closing quotes; of the end of the line for a string of one line that is not closed. */
function endOfString(source: string, start: number, quotes: string): number {
  for (let i = start; i < source.length; i++) {
    if (source[i] === "\\") i++;
    else if (source.startsWith(quotes, i)) return i;
    else if (quotes.length === 1 && source[i] === "\n") return i;
  }
  return source.length;
}
