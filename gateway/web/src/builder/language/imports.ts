/** What a source has of `platform_sdk`, and how a name is added to it. */
import { MODULE, SDK_NAMES } from "./sdk";

const FROM = /^from\s+platform_sdk\s+import\s+(\(([^)]*)\)|([^\n#]*))/gm;

export interface Imported {
  /** Local name → name in the SDK. */
  names: Map<string, string>;
  /** What the module itself is called here, if it is imported. */
  module: string | null;
}

export function importedFrom(source: string): Imported {
  const names = new Map<string, string>();
  for (const match of source.matchAll(FROM)) {
    for (const part of (match[2] ?? match[3] ?? "").replace(/#[^\n]*/g, "").split(",")) {
      const [name, alias] = part.trim().split(/\s+as\s+/);
      if (name === "*") for (const all of SDK_NAMES) names.set(all.name, all.name);
      else if (name) names.set(alias ?? name, name);
    }
  }
  const module = /^import\s+platform_sdk(?:\s+as\s+(\w+))?/m.exec(source);
  return { names, module: module ? (module[1] ?? MODULE) : null };
}

export interface Insertion {
  offset: number;
  text: string;
}

/** What has to be written, and where, so that a name of the SDK can be used; null if it can be already. */
export function importOf(source: string, name: string): Insertion | null {
  const { names } = importedFrom(source);
  if ([...names.values()].includes(name)) return null;
  FROM.lastIndex = 0;
  const first = FROM.exec(source);
  FROM.lastIndex = 0;
  if (first) {
    const listed = first[2] ?? first[3] ?? "";
    const start = first.index + first[0].length - (first[2] === undefined ? listed.length : listed.length + 1);
    const kept = listed.trimEnd();
    const comma = kept.endsWith(",") || kept === "" ? " " : ", ";
    return { offset: start + kept.length, text: comma.trimStart() === "" && kept === "" ? name : `${comma}${name}` };
  }
  const offset = afterHeader(source);
  return { offset, text: `from platform_sdk import ${name}\n${source.slice(offset).startsWith("\n") ? "" : "\n"}` };
}

/** Offset of the first line after comments, the docstring and imports from the future. */
function afterHeader(source: string): number {
  const header = /^(?:[ \t]*(?:#[^\n]*)?\n)*(?:[rR]?("""|''')[\s\S]*?\1[ \t]*\n+|"[^"\n]*"[ \t]*\n+)?(?:from __future__ import[^\n]*\n+)*/.exec(source);
  return header ? header[0].length : 0;
}
