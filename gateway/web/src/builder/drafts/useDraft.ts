import { useEffect, useMemo, useRef, useState } from "react";
import type { Details } from "../details";
import { type Draft, DraftStore } from "./store";

const PAUSE_MS = 400;

/** What is being written, beside its base. */
export interface Work {
  source: string;
  input: string;
  details: Details;
}

export type Kept = "nothing" | "saving" | "kept" | "too-large";

/** A tab of its own as long as it lives; a copy of a tab gets another one. */
const TAB = Math.random().toString(36).slice(2);

const storage = (): Storage => {
  try {
    return localStorage;
  } catch {
    // Switched off: the draft lives as long as the page.
    return sessionStorageOrNone();
  }
};

export const drafts = new DraftStore(storage(), TAB);

/** Keeps the work on one plugin in this browser, and hears of other tabs that work on the same.
 *
 * @param name the plugin, or `UNNAMED`.
 * @param start what the work begins with; it is only kept once it differs from `unchanged`.
 * @param adopt called with the draft of another tab that shall replace what is here.
 */
export function useDraft(name: string, start: Work, startBase: string | null, unchanged: Work | null, adopt: (draft: Draft) => void) {
  const work = useRef(start);
  const base = useRef(startBase);
  const touched = useRef(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const [kept, setKept] = useState<Kept>("nothing");
  const [conflict, setConflict] = useState<Draft | null>(null);
  const latest = useRef({ unchanged, adopt, conflict });
  latest.current = { unchanged, adopt, conflict };

  const keeping = useMemo(() => {
    const save = () => {
      clearTimeout(timer.current);
      timer.current = undefined;
      if (latest.current.conflict) return;
      if (latest.current.unchanged && same(work.current, latest.current.unchanged)) {
        drafts.remove(name);
        setKept("nothing");
      } else setKept(drafts.write(name, { ...work.current, base: base.current }) ? "kept" : "too-large");
      // What is kept is known to other tabs: one that writes after this has begun from it, or asked its user.
      touched.current = false;
    };
    return {
      save,
      /** The work changed; it is kept when typing pauses. */
      update(change: Partial<Work>) {
        work.current = { ...work.current, ...change };
        touched.current = true;
        setKept((now) => (now === "saving" ? now : "saving"));
        clearTimeout(timer.current);
        timer.current = setTimeout(save, PAUSE_MS);
      },
      /** It is based on this revision from now on. */
      rebase(revision: string | null) {
        base.current = revision;
      },
      /** Forget the draft: it was deployed, or thrown away. */
      forget() {
        clearTimeout(timer.current);
        timer.current = undefined;
        touched.current = false;
        drafts.remove(name);
        setKept("nothing");
        setConflict(null);
      },
      takeTheirs(theirs: Draft) {
        work.current = { source: theirs.source, input: theirs.input, details: theirs.details };
        base.current = theirs.base;
        latest.current.conflict = null;
        setConflict(null);
        latest.current.adopt(theirs);
        clearTimeout(timer.current);
        touched.current = false;
        setKept("kept");
      },
      keepMine() {
        latest.current.conflict = null;
        setConflict(null);
        save();
      },
      base: () => base.current,
      work: () => work.current,
    };
  }, [name]);

  useEffect(() => {
    const onStorage = (event: StorageEvent) => {
      const theirs = drafts.changed(name, event);
      if (!theirs || same(theirs, work.current)) return;
      if (touched.current) {
        latest.current.conflict = theirs;
        setConflict(theirs);
      } else keeping.takeTheirs(theirs);
    };
    const flush = () => {
      if (timer.current !== undefined) keeping.save();
    };
    const onLeave = (event: BeforeUnloadEvent) => {
      flush();
      if (latest.current.conflict) event.preventDefault();
    };
    window.addEventListener("storage", onStorage);
    window.addEventListener("pagehide", flush);
    window.addEventListener("beforeunload", onLeave);
    document.addEventListener("visibilitychange", flush);
    return () => {
      flush();
      window.removeEventListener("storage", onStorage);
      window.removeEventListener("pagehide", flush);
      window.removeEventListener("beforeunload", onLeave);
      document.removeEventListener("visibilitychange", flush);
    };
  }, [name, keeping]);

  return { kept, conflict, ...keeping };
}

export function same(one: Work, other: Work): boolean {
  return one.source === other.source && one.input === other.input && JSON.stringify(one.details) === JSON.stringify(other.details);
}

function sessionStorageOrNone(): Storage {
  try {
    return sessionStorage;
  } catch {
    const map = new Map<string, string>();
    return {
      get length() {
        return map.size;
      },
      clear: () => map.clear(),
      getItem: (key) => map.get(key) ?? null,
      key: (i) => [...map.keys()][i] ?? null,
      removeItem: (key) => void map.delete(key),
      setItem: (key, value) => void map.set(key, value),
    };
  }
}
