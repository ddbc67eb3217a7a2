import { describe, expect, it } from "vitest";
import { placeIn } from "./deploy/deploy";
import { differences, EMPTY_DETAILS } from "./details";
import { ceilingsOf, changedLimits, DEFAULT_CEILINGS, DEFAULT_LIMITS, LIMIT_FIELDS, type LimitField, readLimit, shown } from "./limits";
import { descriptionFrom, nameFrom, problemOfName } from "./names";
import { TEMPLATES } from "./templates";
import { coloursOf } from "./theme";
import { failedLine } from "./trying";

const field = (key: string) => LIMIT_FIELDS.find((one) => one.key === key) as LimitField;

describe("limits", () => {
  it("are read in the unit of their field", () => {
    expect(readLimit("30", field("timeout_ms"), DEFAULT_CEILINGS)).toEqual({ value: 30_000 });
    expect(readLimit(" 0,5 ", field("timeout_ms"), DEFAULT_CEILINGS)).toEqual({ value: 500 });
    expect(readLimit("256", field("memory_bytes"), DEFAULT_CEILINGS)).toEqual({ value: 268_435_456 });
    expect(readLimit("", field("ai_calls"), DEFAULT_CEILINGS)).toEqual({ value: 10 });
    expect(readLimit("0", field("ai_calls"), DEFAULT_CEILINGS)).toEqual({ value: 0 });
  });
  it("say what is wrong with them", () => {
    const problem = (text: string, key: string) => (readLimit(text, field(key), DEFAULT_CEILINGS) as { problem: string }).problem;
    expect(problem("much", "timeout_ms")).toBe("A number of s, please.");
    expect(problem("601", "timeout_ms")).toBe("At most 600 s here.");
    expect(problem("32", "memory_bytes")).toBe("At least 64 MiB.");
    expect(problem("-1", "ai_calls")).toBe("At least 0 calls.");
    expect(problem("Infinity", "ai_calls")).toBeTruthy();
  });
  it("are sent only where they are not the usual ones", () => {
    expect(changedLimits(DEFAULT_LIMITS)).toEqual({});
    expect(changedLimits({ ...DEFAULT_LIMITS, ai_calls: 3 })).toEqual({ ai_calls: 3 });
    for (const one of LIMIT_FIELDS) expect(readLimit(shown(DEFAULT_LIMITS[one.key], one), one, DEFAULT_CEILINGS)).toEqual({ value: DEFAULT_LIMITS[one.key] });
  });
  it("have the ceilings that the installation describes", () => {
    const document = { components: { schemas: { Limits: { properties: { ai_calls: { "x-ceiling": 5 } } } } } };
    expect(ceilingsOf(document)).toEqual({ ...DEFAULT_CEILINGS, ai_calls: 5 });
    expect(ceilingsOf(null)).toEqual(DEFAULT_CEILINGS);
  });
});

it("says in words which details change", () => {
  const after = { ...EMPTY_DETAILS, hint: "x", inputType: "json" as const, limits: { ...DEFAULT_LIMITS, ai_calls: 2 } };
  expect(differences(EMPTY_DETAILS, after)).toEqual(["input type (text → json)", "input hint", "limit: model calls"]);
  expect(differences(after, after)).toEqual([]);
});

describe("names", () => {
  it("are told good from bad", () => {
    for (const good of ["a", "my_plugin-2", "A".repeat(64)]) expect(problemOfName(good)).toBeNull();
    for (const bad of ["", "_a", "-a", "a b", "ä", "a/b", "../x", "a".repeat(65), "<script>"]) expect(problemOfName(bad)).toBeTruthy();
  });
  it("are made of what a source says of itself", () => {
    expect(nameFrom(descriptionFrom('# -*- coding -*-\n"""Says hello, loudly and twice over."""\n'))).toBe("says_hello_loudly_and");
    expect(nameFrom("Übersetzt Texte")).toBe("ubersetzt_texte");
    expect(nameFrom("…")).toBe("");
    expect(descriptionFrom("x = 1")).toBe("");
    expect(descriptionFrom("'''\nFirst line.\n\nSecond.'''")).toBe("First line.");
  });
});

it("finds the line that a traceback ends in, of the plugin's own", () => {
  const traceback =
    'Traceback (most recent call last):\n  File "plugin.py", line 9, in <module>\n  File "plugin.py", line 3, in work\n  File "/lib/json/decoder.py", line 355, in raw_decode\nValueError: no';
  expect(failedLine(traceback)).toBe(3);
  expect(failedLine("ValueError")).toBeNull();
  expect(failedLine(null)).toBeNull();
});

it("finds the place that a refusal names", () => {
  expect(placeIn("line 3, column 7: invalid syntax")).toEqual({ line: 3, column: 7 });
  expect(placeIn("line 12: unexpected indent")).toEqual({ line: 12, column: 1 });
  expect(placeIn("limit memory_bytes is 1")).toBeNull();
});

it("takes the page's colours for the editor, whole", () => {
  expect(coloursOf(" light-dark(#ffffff, #1b1b1f)")).toEqual({ light: "#ffffff", dark: "#1b1b1f" });
  expect(coloursOf("#abc")).toEqual({ light: "#aabbcc", dark: "#aabbcc" });
  expect(coloursOf("light-dark(#fff,#0000000d)")).toEqual({ light: "#ffffff", dark: "#0000000d" });
  expect(coloursOf("rebeccapurple")).toBeNull();
});

it("has templates that say what they are, each under a name of its own", () => {
  expect(new Set(TEMPLATES.map(({ id }) => id)).size).toBe(TEMPLATES.length);
  for (const template of TEMPLATES) {
    expect(descriptionFrom(template.source), template.id).toMatch(/^[A-Z].*\.$/);
    expect(template.source).toContain("from platform_sdk import");
  }
});
