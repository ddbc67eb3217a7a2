/** What a run is given, how it travels in a link, and what is wrong with it. */
import type { InputType } from "../api/types";
import { bytes, count } from "../ui/format";
import { jsonErrorAt } from "./jsonError";

export interface RunInput {
  as: InputType;
  text: string;
  file: File | null;
}

export const emptyInput = (as: InputType): RunInput => ({ as, text: "", file: null });

/** Longest text that a link carries. */
export const LINK_CHARACTERS = 6_000;

export const sizeOf = (input: RunInput): number =>
  input.as === "file" ? (input.file?.size ?? 0) : new Blob([input.text]).size;

export function bodyOf(input: RunInput): { body: BodyInit; type: string } {
  if (input.as === "file") return { body: input.file ?? "", type: input.file?.type || "application/octet-stream" };
  return { body: input.text, type: input.as === "json" ? "application/json" : "text/plain; charset=utf-8" };
}

/** Why the input can't be sent; null if it can. */
export function problemOf(input: RunInput, limitBytes: number | undefined): string | null {
  const size = sizeOf(input);
  if (limitBytes !== undefined && size > limitBytes) {
    return `${input.as === "file" ? "The file" : "The input"} is ${bytes(size)}; this plugin takes at most ${bytes(limitBytes)}.`;
  }
  if (input.as === "file" && !input.file) return "Choose a file first.";
  if (input.as === "json") return jsonProblem(input.text);
  return null;
}

/** What is wrong with a JSON text, with line and column; null if nothing is. */
export function jsonProblem(text: string): string | null {
  if (!text.trim()) return "Enter JSON, such as {} or [1, 2].";
  const at = jsonErrorAt(text);
  if (at === null) return null;
  if (at >= text.trimEnd().length) return "The JSON ends too early.";
  const before = text.slice(0, at).split("\n");
  const found = text.slice(at, at + 20).split("\n", 1)[0];
  return `Line ${count(before.length)}, column ${count((before.at(-1)?.length ?? 0) + 1)}: ${found} can't stand here.`;
}

/** The fragment of a link that opens this run again. It never leaves the browser. */
export function toFragment(input: RunInput, revision: string | null): string {
  const parts = new URLSearchParams({ as: input.as });
  if (input.as !== "file" && input.text.length <= LINK_CHARACTERS) parts.set("input", input.text);
  if (revision) parts.set("revision", revision);
  return `#${parts}`;
}

export function fromFragment(fragment: string): { input: RunInput; revision: string | null } | null {
  const parts = new URLSearchParams(fragment.replace(/^#/, ""));
  const as = parts.get("as");
  if (as !== "text" && as !== "json" && as !== "file") return null;
  const revision = parts.get("revision");
  return {
    input: { as, text: parts.get("input") ?? "", file: null },
    revision: revision && /^[0-9a-f]{64}$/.test(revision) ? revision : null,
  };
}
