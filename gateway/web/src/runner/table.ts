/** Text with separators, as rows of fields. */

const SEPARATORS = ["\t", ",", ";", "|"];
const SAMPLE_LINES = 20;

/** Rows, the first of them the heading; null unless at least two rows have the same number (2 or more) of fields. */
export function parseTable(text: string): string[][] | null {
  const sample = text.split("\n", SAMPLE_LINES).filter((line) => line.trim());
  const separator = SEPARATORS.find((candidate) => {
    const widths = sample.map((line) => line.split(candidate).length);
    return widths.length > 1 && (widths[0] ?? 0) > 1 && widths.every((width) => Math.abs(width - (widths[0] ?? 0)) < 2);
  });
  if (!separator) return null;
  const rows = parseSeparated(text, separator).filter((row) => row.length > 1 || row[0]);
  const width = rows[0]?.length ?? 0;
  // Prose has commas too: in a table nearly every row is as wide as the heading, and fields are short.
  const same = rows.filter((row) => row.length === width).length;
  if (rows.length < 2 || width < 2 || same < rows.length * 0.95) return null;
  if (separator === "," && rows.slice(0, SAMPLE_LINES).some((row) => row.some((field) => field.length > 120))) return null;
  return rows;
}

/** RFC 4180, with any separator: quoted fields may hold separators, doubled quotes and line ends. */
export function parseSeparated(text: string, separator: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let field = "";
  let quoted = false;
  const endField = () => {
    row.push(field);
    field = "";
  };
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (quoted) {
      if (char !== '"') field += char;
      else if (text[i + 1] === '"') {
        field += '"';
        i++;
      } else quoted = false;
    } else if (char === '"' && field === "") quoted = true;
    else if (char === separator) endField();
    else if (char === "\n") {
      endField();
      rows.push(row);
      row = [];
    } else if (char !== "\r") field += char;
  }
  if (field || row.length) {
    endField();
    rows.push(row);
  }
  return rows;
}
