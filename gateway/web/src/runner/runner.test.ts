import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { current, forget, forgetAll, remember } from "./history";
import { fromFragment, jsonProblem, LINK_CHARACTERS, problemOf, type RunInput, sizeOf, toFragment } from "./input";
import { jsonErrorAt } from "./jsonError";
import { kindOf } from "./kinds";
import { phasesOf } from "./PhasesBar";
import { RunSession } from "./session";
import { parseSeparated, parseTable } from "./table";

const NO_BYTES = new Uint8Array();
const input = (some: Partial<RunInput>): RunInput => ({ as: "text", text: "", file: null, ...some });

beforeEach(() => forgetAll());
afterEach(() => vi.unstubAllGlobals());

test.each([
  ['{"a": [1, 2]}', "json"],
  ['[{"a": 1}, {"a": 2, "b": "x"}]', "json"],
  ["# Heading\n\ntext", "markdown"],
  ["| a | b |\n|---|---|\n| 1 | 2 |", "markdown"],
  ["a,b\n1,2\n3,4\n", "table"],
  ["a\tb\n1\t2\n", "table"],
  ["One sentence, with a comma.\nAnother one, with one too, and two.", "text"],
  ["{not json", "text"],
  ["", "text"],
  ["<svg xmlns='http://www.w3.org/2000/svg'></svg>", "image"],
  ["<html><svg></svg></html>", "text"],
  ["data:image/png;base64,AAAA", "image"],
  ["data:text/html;base64,AAAA", "text"],
  ["BM is how this sentence begins", "text"],
])("%s is shown as %s", (text, view) => {
  expect(kindOf(text, new TextEncoder().encode(text).slice(0, 16), false).views[0]).toBe(view);
});

test("bytes are told by their first ones", () => {
  const png = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 1]);
  expect(kindOf("\ufffdPNG", png, true)).toMatchObject({ views: ["image", "binary"], extension: "png" });
  expect(kindOf("\ufffd", new Uint8Array([0xff, 0]), true).views[0]).toBe("binary");
  expect(kindOf("x".repeat(5_000_000), NO_BYTES, false).views).toEqual(["text"]);
});

test("a list of objects is a table too", () => {
  expect(kindOf('[{"a": 1}, {"b": {"c": 2}}]', NO_BYTES, false).table).toEqual([
    ["a", "b"],
    ["1", ""],
    ["", '{"c":2}'],
  ]);
});

test("fields in quotes hold separators, quotes and lines", () => {
  expect(parseSeparated('a,"b,c"\r\n"say ""hi""","two\nlines"\n', ",")).toEqual([
    ["a", "b,c"],
    ['say "hi"', "two\nlines"],
  ]);
  expect(parseTable("only one line, here")).toBeNull();
});

test.each([
  ['{"a": }', 6],
  ["[1, 2", 5],
  ["[1 2]", 3],
  ['{"a": 1,}', 8],
  ["{a: 1}", 1],
  ["01", 1],
  ["nul", 0],
  ['"tab\there"', 0],
  ["[] x", 3],
  ["", 0],
])("%s stops being JSON at %i", (text, at) => {
  expect(() => JSON.parse(text)).toThrow();
  expect(jsonErrorAt(text)).toBe(at);
});

test("what the browser takes for JSON has no error", () => {
  for (const text of ['{"a": [1, -2.5e3, {"b": null}], "ü": "\\u00e9\\n"}', " [] ", "0", '""', "[[[]],{}]", "[".repeat(20_000) + "]".repeat(20_000)]) {
    expect(() => JSON.parse(text)).not.toThrow();
    expect(jsonErrorAt(text)).toBeNull();
  }
});

test("problems of an input say where, or how much is too much", () => {
  expect(jsonProblem('{"name": \n nope}')).toBe("Line 2, column 2: nope} can't stand here.");
  expect(jsonProblem('{"name"')).toBe("The JSON ends too early.");
  expect(problemOf(input({ text: "ä".repeat(600) }), 1_000)).toBe("The input is 1.2 KiB; this plugin takes at most 1,000 bytes.");
  expect(problemOf(input({ text: "ä".repeat(500) }), 1_000)).toBeNull();
  expect(problemOf(input({ as: "file" }), 10)).toBe("Choose a file first.");
  expect(sizeOf(input({ text: "a😀" }))).toBe(5);
});

test("a link opens the same run, and carries nothing that is too long for one", () => {
  const given = input({ as: "json", text: '{"a": "ä&=#+ \\n"}' });
  const revision = "0f".repeat(32);
  expect(fromFragment(toFragment(given, revision))).toEqual({ input: given, revision });
  expect(fromFragment(toFragment(input({ text: "x".repeat(LINK_CHARACTERS + 1) }), null))?.input.text).toBe("");
  expect(fromFragment("#main")).toBeNull();
  expect(fromFragment("#as=text&revision=../../x")?.revision).toBeNull();
});

const RUN = {
  plugin: "p", at: 1, as: "text", text: "hello", inputBytes: 5, fileName: null, success: true, kind: null, totalMs: 1,
  outputBytes: 1, revision: null,
} as const;

test("the history keeps the newest runs, within bounds, and survives what others wrote into it", () => {
  for (let i = 0; i < 60; i++) remember({ ...RUN, at: i });
  expect(current()).toHaveLength(50);
  expect(current()[0]?.at).toBe(59);
  remember({ ...RUN, text: "x".repeat(30_000) });
  expect(current()[0]?.text).toBeNull();
  for (let i = 0; i < 40; i++) remember({ ...RUN, text: "y".repeat(19_000) });
  expect(JSON.stringify(current()).length).toBeLessThan(500_000);
  forget(current()[0]?.id ?? "");
  expect(current()).toHaveLength(49);
  localStorage.setItem("wasmforge.runs", '[1, null, {"plugin": 3}]');
  window.dispatchEvent(new StorageEvent("storage", { key: "wasmforge.runs" }));
  expect(current()).toEqual([]);
  localStorage.setItem("wasmforge.runs", "not json");
  remember(RUN);
  expect(current()).toHaveLength(1);
});

function answers(events: string, init: ResponseInit = {}) {
  vi.stubGlobal("fetch", async () => new Response(events, init));
}

test("a run gathers output and log and ends with what the gateway says", async () => {
  answers(
    'event: output\ndata: "a\\n"\n\nevent: log\ndata: "l"\n\nevent: output\ndata: {"base64":"/w=="}\n\n' +
      'event: done\ndata: {"success":true,"error":null,"error_type":null,"execution_id":"e","phases":{"run":5}}\n\n',
    { headers: { "Wasmforge-Revision": "r" } },
  );
  const session = new RunSession();
  expect(await session.start("/fn/x", {})).toMatchObject({ success: true, executionId: "e", phases: { run: 5 } });
  expect(session.current()).toMatchObject({ status: "done", text: "a\n\ufffd", log: "l", outputBytes: 3, binary: true, revision: "r" });
  expect(session.head(2)).toEqual(new Uint8Array([0x61, 0x0a]));
  expect(session.bytes().size).toBe(3);
});

test("a stream without an end was interrupted, and keeps what came", async () => {
  answers('event: output\ndata: "part"\n\n');
  const session = new RunSession();
  expect(await session.start("/fn/x", {})).toMatchObject({ success: false, kind: "interrupted" });
  expect(session.current().text).toBe("part");
});

test("a refused run says why and when to come back", async () => {
  answers(JSON.stringify({ error_type: "busy", error: "full" }), { status: 503, headers: { "Retry-After": "2" } });
  expect(await new RunSession().start("/fn/x", {})).toMatchObject({ kind: "busy", error: "full", retryAfterSeconds: 2 });
});

test("a second run stops the first, which writes nothing any more", async () => {
  let first: AbortSignal | undefined;
  vi.stubGlobal("fetch", (_: string, { signal }: { signal: AbortSignal }) => {
    if (first) return Promise.resolve(new Response('event: output\ndata: "second"\n\nevent: done\ndata: {"success":true}\n\n'));
    first = signal;
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
  });
  const session = new RunSession();
  const stopped = session.start("/fn/x", {});
  expect((await session.start("/fn/x", {})).success).toBe(true);
  expect((await stopped).kind).toBe("cancelled");
  expect(session.current()).toMatchObject({ text: "second", run: 2, status: "done" });
});

test("waiting for models is taken out of running", () => {
  expect(phasesOf({ queue: 0, run: 100, ai_wait: 80, restore: 5, total: 200 }).map(({ key, microseconds }) => [key, microseconds])).toEqual([
    ["restore", 5],
    ["run", 20],
    ["ai", 80],
  ]);
});
