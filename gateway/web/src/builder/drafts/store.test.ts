import { beforeEach, describe, expect, it } from "vitest";
import { EMPTY_DETAILS } from "../details";
import { DraftStore } from "./store";

const WORK = { source: "print(1)", input: "x", details: EMPTY_DETAILS, base: null };

/** A storage that holds so many characters. */
function storage(limit = Number.POSITIVE_INFINITY): Storage {
  const map = new Map<string, string>();
  return {
    get length() {
      return map.size;
    },
    clear: () => map.clear(),
    getItem: (key) => map.get(key) ?? null,
    key: (i) => [...map.keys()][i] ?? null,
    removeItem: (key) => void map.delete(key),
    setItem(key, value) {
      const others = [...map].filter(([other]) => other !== key).reduce((sum, [, text]) => sum + text.length, 0);
      if (others + value.length > limit) throw new DOMException("full", "QuotaExceededError");
      map.set(key, value);
    },
  };
}

describe("DraftStore", () => {
  let kept: Storage;
  let store: DraftStore;
  beforeEach(() => {
    kept = storage();
    store = new DraftStore(kept, "one");
  });

  it("gives back what it was given, for each name", () => {
    const details = { ...EMPTY_DETAILS, description: "d", inputType: "json" as const };
    store.write("a", { ...WORK, details, base: "r1" }, 5);
    store.write("", { ...WORK, source: "other" }, 6);
    expect(store.read("a")).toEqual({ ...WORK, details, base: "r1", savedAt: 5, tab: "one" });
    expect(store.read("")?.source).toBe("other");
    expect(store.read("b")).toBeNull();
    expect(store.list().map(({ name }) => name)).toEqual(["", "a"]);
    store.remove("a");
    expect(store.read("a")).toBeNull();
  });
  it("takes whatever lies there for no draft, or for a draft with what is missing made up", () => {
    for (const text of ["", "{", "null", "[]", '"x"', '{"source": 1}']) {
      kept.setItem("wasmforge.draft.a", text);
      expect(store.read("a")).toBeNull();
    }
    kept.setItem("wasmforge.draft.a", '{"source": "s", "details": {"limits": {"timeout_ms": "x", "ai_calls": -1}}}');
    expect(store.read("a")).toMatchObject({ source: "s", input: "", base: null, details: EMPTY_DETAILS });
  });
  it("lets the oldest make room, never the one that is written", () => {
    for (let i = 0; i < 40; i++) store.write(`p${i}`, WORK, i);
    expect(store.list()).toHaveLength(30);
    expect(store.read("p9")).toBeNull();
    expect(store.read("p10")).not.toBeNull();
    store.write("p10", { ...WORK, source: "again" }, 100);
    expect(store.read("p10")?.source).toBe("again");
    expect(store.list()).toHaveLength(30);
  });
  it("makes room by size too, and where the browser is out of it", () => {
    const large = { ...WORK, source: "x".repeat(800_000) };
    store.write("a", large, 1);
    store.write("b", large, 2);
    store.write("c", large, 3);
    expect(store.list().map(({ name }) => name)).toEqual(["c", "b"]);
    expect(store.write("d", { ...WORK, source: "x".repeat(2_000_000) }, 4)).toBe(false);
    expect(store.read("c")).not.toBeNull();

    const small = new DraftStore(storage(1_000), "one");
    expect(small.write("a", { ...WORK, source: "x".repeat(300) }, 1)).toBe(true);
    expect(small.write("b", { ...WORK, source: "x".repeat(500) }, 2)).toBe(true);
    expect(small.list().map(({ name }) => name)).toEqual(["b"]);
    expect(small.write("c", { ...WORK, source: "x".repeat(5_000) }, 3)).toBe(false);
  });
  it("keeps a draft whose input is too large without it", () => {
    expect(store.write("a", { ...WORK, input: "x".repeat(200_000) })).toBe(true);
    expect(store.read("a")).toMatchObject({ source: WORK.source, input: "" });
  });
  it("hears of other tabs only, and of its own name only", () => {
    const other = new DraftStore(kept, "two");
    other.write("a", WORK, 1);
    const event = { key: "wasmforge.draft.a", newValue: kept.getItem("wasmforge.draft.a") };
    expect(store.changed("a", event)?.tab).toBe("two");
    expect(other.changed("a", event)).toBeUndefined();
    expect(store.changed("b", event)).toBeUndefined();
    expect(store.changed("a", { ...event, newValue: null })).toBeNull();
  });
  it("does without a storage that refuses everything", () => {
    const refusing = new Proxy(storage(), {
      get() {
        throw new DOMException("no", "SecurityError");
      },
    });
    const without = new DraftStore(refusing, "one");
    expect(without.write("a", WORK)).toBe(false);
    expect(without.read("a")).toBeNull();
    expect(without.list()).toEqual([]);
    without.remove("a");
  });
});
