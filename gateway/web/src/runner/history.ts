/** One's own runs, kept in this browser only, the newest first; never more than fits. */
import type { InputType } from "../api/types";

export interface PastRun {
  id: string;
  plugin: string;
  at: number;
  as: InputType;
  /** The text that was sent; null if it was a file or too long to keep. */
  text: string | null;
  inputBytes: number;
  fileName: string | null;
  success: boolean;
  kind: string | null;
  totalMs: number;
  outputBytes: number;
  revision: string | null;
}

const KEY = "wasmforge.runs";
const MOST_RUNS = 50;
const KEPT_CHARACTERS = 20_000;
const MOST_CHARACTERS = 400_000;

let runs: readonly PastRun[] = read();
const listeners = new Set<() => void>();

export const current = (): readonly PastRun[] => runs;

export function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function remember(run: Omit<PastRun, "id">): void {
  const text = run.text !== null && run.text.length <= KEPT_CHARACTERS ? run.text : null;
  write([{ ...run, text, id: crypto.randomUUID?.() ?? `${run.at}-${Math.random()}` }, ...read()]);
}

export const forget = (id: string): void => write(read().filter((run) => run.id !== id));

export const forgetAll = (): void => write([]);

function write(all: readonly PastRun[]): void {
  let room = MOST_CHARACTERS;
  runs = all.slice(0, MOST_RUNS).map((run) => {
    room -= run.text?.length ?? 0;
    return room < 0 ? { ...run, text: null } : run;
  });
  try {
    localStorage.setItem(KEY, JSON.stringify(runs));
  } catch {
    // Full or forbidden: the history lasts as long as the page.
  }
  tell();
}

function read(): readonly PastRun[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(found) ? found.filter(isRun) : [];
  } catch {
    return runs ?? [];
  }
}

function isRun(value: unknown): value is PastRun {
  const run = value as PastRun | null;
  return typeof run === "object" && run !== null && typeof run.plugin === "string" && typeof run.at === "number" && typeof run.id === "string";
}

function tell(): void {
  for (const listener of listeners) listener();
}

// Another tab ran something.
window.addEventListener("storage", (event) => {
  if (event.key !== KEY && event.key !== null) return;
  runs = read();
  tell();
});
