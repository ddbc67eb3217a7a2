/** Python's own words, for completion. */

export const KEYWORDS =
  "and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield True False None match case".split(
    " ",
  );

export const BUILTINS =
  "abs all any ascii bin bool bytearray bytes callable chr dict divmod enumerate filter float format frozenset getattr hasattr hash hex id int isinstance issubclass iter len list map max memoryview min next object oct ord pow print property range repr reversed round set setattr slice sorted staticmethod str sum super tuple type vars zip Exception ValueError TypeError KeyError IndexError AttributeError RuntimeError StopIteration SystemExit UnicodeDecodeError ZeroDivisionError".split(
    " ",
  );

/** Modules of the standard library that are of use in the sandbox. */
export const MODULES =
  "array ast asyncio base64 bisect calendar cmath collections colorsys configparser contextlib copy csv dataclasses datetime decimal difflib enum fnmatch fractions functools gettext graphlib hashlib heapq hmac html io ipaddress itertools json locale math mimetypes operator pprint quopri random re secrets shlex statistics string struct textwrap time tomllib traceback types typing unicodedata urllib.parse uuid xml.etree.ElementTree zipfile zlib zoneinfo".split(
    " ",
  );

const WORD = /[A-Za-z_]\w{2,}/g;
const WORDS_AT_MOST = 400;
const READ_AT_MOST = 100_000;

/** Names in a source, without what Python or the SDK say already; those of very long sources in part. */
export function wordsOf(source: string, near: number, known: ReadonlySet<string>): string[] {
  const start = Math.max(0, near - READ_AT_MOST / 2);
  const found = new Set<string>();
  for (const match of source.slice(start, start + READ_AT_MOST).matchAll(WORD)) {
    const here = start + match.index;
    // The word that is being typed is no suggestion.
    if (here < near && near <= here + match[0].length) continue;
    if (!known.has(match[0])) found.add(match[0]);
    if (found.size >= WORDS_AT_MOST) break;
  }
  return [...found];
}
