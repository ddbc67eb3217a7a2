/** What an output is, by looking at it; nothing is ever trusted to say so itself. */
import { parseTable } from "./table";

export type View = "text" | "json" | "markdown" | "table" | "image" | "binary";

export interface Kind {
  /** Views that make sense, best first. */
  views: View[];
  /** For a download. */
  extension: string;
  mime: string;
  json?: unknown;
  table?: string[][];
}

/** Above this many characters only the plain text is offered: parsing would hold the page up. */
const PARSED_CHARACTERS = 4_000_000;
const LOOKED_AT_CHARACTERS = 20_000;

const IMAGES: [mime: string, extension: string, magic: (number | null)[]][] = [
  ["image/png", "png", [0x89, 0x50, 0x4e, 0x47]],
  ["image/jpeg", "jpg", [0xff, 0xd8, 0xff]],
  ["image/gif", "gif", [0x47, 0x49, 0x46, 0x38]],
  ["image/webp", "webp", [0x52, 0x49, 0x46, 0x46, null, null, null, null, 0x57, 0x45, 0x42, 0x50]],
  ["image/bmp", "bmp", [0x42, 0x4d]],
];

/** The image type that the first bytes announce; null if none does. */
export function imageType(head: Uint8Array): { mime: string; extension: string } | null {
  for (const [mime, extension, magic] of IMAGES) {
    if (head.length >= magic.length && magic.every((byte, i) => byte === null || head[i] === byte)) return { mime, extension };
  }
  return null;
}

export function kindOf(text: string, head: Uint8Array, binary: boolean): Kind {
  const image = imageType(head);
  // "BM" alone may begin any text.
  if (image && (binary || image.extension === "gif")) return { views: ["image", "binary"], ...image };
  if (binary) return { views: ["binary", "text"], extension: "bin", mime: "application/octet-stream" };
  const trimmed = text.trim();
  const plain: Kind = { views: ["text"], extension: "txt", mime: "text/plain" };
  if (!trimmed || text.length > PARSED_CHARACTERS) return plain;
  if (/^(<\?xml[^>]*>\s*)?(<!--[\s\S]{0,500}?-->\s*)?<svg[\s>]/i.test(trimmed) && trimmed.endsWith("</svg>")) {
    return { views: ["image", "text"], extension: "svg", mime: "image/svg+xml" };
  }
  if (/^data:image\/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+$/.test(trimmed)) return { ...plain, views: ["image", "text"] };
  if (/^[[{]/.test(trimmed)) {
    try {
      const json: unknown = JSON.parse(trimmed);
      const table = rowsOf(json);
      const views: View[] = table ? ["json", "table", "text"] : ["json", "text"];
      return { views, extension: "json", mime: "application/json", json, ...(table ? { table } : {}) };
    } catch {
      // Looks like JSON and is not: text it is.
    }
  }
  if (looksLikeMarkdown(trimmed.slice(0, LOOKED_AT_CHARACTERS))) {
    return { views: ["markdown", "text"], extension: "md", mime: "text/markdown" };
  }
  const table = parseTable(trimmed);
  if (table) return { views: ["table", "text"], extension: "csv", mime: "text/csv", table };
  return plain;
}

/** A list of flat objects with much the same keys, as a table; null if it is none. */
function rowsOf(json: unknown): string[][] | null {
  if (!Array.isArray(json) || json.length < 2) return null;
  const keys = new Set<string>();
  for (const row of json as unknown[]) {
    if (typeof row !== "object" || row === null || Array.isArray(row)) return null;
    for (const key of Object.keys(row)) keys.add(key);
    if (keys.size > 50) return null;
  }
  if (keys.size === 0) return null;
  const columns = [...keys];
  const cell = (value: unknown) =>
    value === undefined || value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
  return [columns, ...(json as Record<string, unknown>[]).map((row) => columns.map((column) => cell(row[column])))];
}

const MARKDOWN = [
  /^#{1,6} \S/m,
  /^\s{0,3}[-*] \S.*\n\s{0,3}[-*] \S/m,
  /^\s{0,3}1[.)] \S.*\n(.*\n)?\s{0,3}2[.)] \S/m,
  /^\|.+\|\s*\n\|[\s:|-]+\|/m,
  /^(```|~~~)/m,
  /\*\*\S[^*\n]*\*\*/,
  /\[[^\]\n]+\]\([^)\s]+\)/,
];

function looksLikeMarkdown(text: string): boolean {
  // Lists alone are as often plain text, which reads the same: one strong sign, or two of any kind.
  const signs = MARKDOWN.map((sign) => sign.test(text));
  const strong = signs[0] || signs[3] || signs[4];
  return Boolean(strong) || signs.filter(Boolean).length >= 2;
}
