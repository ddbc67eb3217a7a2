/** Drafts in this browser, one for each plugin and one for what has no name yet; bounded, and shared by all tabs. */
import { type Details, readDetails } from "../details";

export interface Draft {
  source: string;
  /** What it is tried with. */
  input: string;
  details: Details;
  /** The revision it began from; null for a plugin that is not there yet. */
  base: string | null;
  /** `Date.now()`. */
  savedAt: number;
  /** The tab that wrote it. */
  tab: string;
}

/** The draft that belongs to no plugin yet. */
export const UNNAMED = "";

const PREFIX = "wasmforge.draft.";
const DRAFTS_AT_MOST = 30;
/** Browsers keep about 5 MiB of UTF-16 for a page; others of ours need some too. */
const CHARACTERS_AT_MOST = 1_800_000;
/** A larger input is not kept; the draft is. */
const INPUT_CHARACTERS_AT_MOST = 100_000;

const keyOf = (name: string) => `${PREFIX}${name}`;

export class DraftStore {
  constructor(
    private readonly storage: Storage,
    readonly tab: string,
  ) {}

  read(name: string): Draft | null {
    try {
      return parse(this.storage.getItem(keyOf(name)));
    } catch {
      return null;
    }
  }

  /** Keep a draft; the oldest others make room. False if it can't be kept (too large, or the browser refuses). */
  write(name: string, draft: Pick<Draft, "source" | "input" | "details" | "base">, now = Date.now()): boolean {
    const input = draft.input.length <= INPUT_CHARACTERS_AT_MOST ? draft.input : "";
    const { source, details, base } = draft;
    const text = JSON.stringify({ source, input, details, base, savedAt: now, tab: this.tab });
    if (text.length > CHARACTERS_AT_MOST) return false;
    try {
      this.#makeRoom(keyOf(name), text.length);
      for (;;) {
        try {
          this.storage.setItem(keyOf(name), text);
          return true;
        } catch {
          const oldest = this.#others(keyOf(name)).at(0);
          if (!oldest) return false;
          this.storage.removeItem(oldest.key);
        }
      }
    } catch {
      return false;
    }
  }

  remove(name: string): void {
    try {
      this.storage.removeItem(keyOf(name));
    } catch {
      // Storage that is switched off keeps nothing to remove.
    }
  }

  /** Drafts there are, the latest first. */
  list(): { name: string; savedAt: number }[] {
    try {
      return this.#others(null)
        .map(({ key, savedAt }) => ({ name: key.slice(PREFIX.length), savedAt }))
        .reverse();
    } catch {
      return [];
    }
  }

  /** The draft of a storage event, if another tab wrote this one; undefined if the event is about something else. */
  changed(name: string, event: Pick<StorageEvent, "key" | "newValue">): Draft | null | undefined {
    if (event.key !== keyOf(name)) return undefined;
    const draft = parse(event.newValue);
    return draft?.tab === this.tab ? undefined : draft;
  }

  #makeRoom(key: string, length: number): void {
    const others = this.#others(key);
    let total = length + others.reduce((sum, other) => sum + other.length, 0);
    while (others.length && (others.length >= DRAFTS_AT_MOST || total > CHARACTERS_AT_MOST)) {
      const oldest = others.shift();
      if (!oldest) return;
      total -= oldest.length;
      this.storage.removeItem(oldest.key);
    }
  }

  /** All other drafts, the oldest first; what can't be read counts as oldest. */
  #others(key: string | null): { key: string; savedAt: number; length: number }[] {
    const found = [];
    for (let i = 0; i < this.storage.length; i++) {
      const other = this.storage.key(i);
      if (other === null || other === key || !other.startsWith(PREFIX)) continue;
      const text = this.storage.getItem(other) ?? "";
      found.push({ key: other, savedAt: parse(text)?.savedAt ?? 0, length: text.length });
    }
    return found.sort((a, b) => a.savedAt - b.savedAt);
  }
}

function parse(text: string | null): Draft | null {
  if (text === null) return null;
  try {
    const value = JSON.parse(text) as Partial<Draft> | null;
    if (typeof value?.source !== "string") return null;
    return {
      source: value.source,
      input: typeof value.input === "string" ? value.input : "",
      details: readDetails(value.details),
      base: typeof value.base === "string" ? value.base : null,
      savedAt: typeof value.savedAt === "number" ? value.savedAt : 0,
      tab: typeof value.tab === "string" ? value.tab : "",
    };
  } catch {
    return null;
  }
}
