import { expect, it } from "vitest";
import type { Problem } from "./check";
import { type Lines, marksOf, summaryOf } from "./markers";

const lines = (text: string): Lines => {
  const all = text.split("\n");
  return { getLineCount: () => all.length, getLineContent: (line) => all[line - 1] ?? "" };
};

function mark(text: string, problem: Partial<Problem>) {
  const [one] = marksOf([{ line: 1, column: null, end_line: null, end_column: null, message: "m", severity: "error", ...problem }], lines(text));
  return one && [one.startLineNumber, one.startColumn, one.endLineNumber, one.endColumn];
}

it("marks the range that is given", () => {
  expect(mark("a\nbc def", { line: 2, column: 4, end_line: 2, end_column: 7 })).toEqual([2, 4, 2, 7]);
  expect(mark("a\nb", { column: 1, end_line: 2, end_column: 2 })).toEqual([1, 1, 2, 2]);
});
it("marks the word where only a beginning is given, and the line where not even that is", () => {
  expect(mark("import numpy", { column: 8 })).toEqual([1, 8, 1, 13]);
  expect(mark("x = = 2", { column: 5 })).toEqual([1, 5, 1, 6]);
  expect(mark("  bad line", {})).toEqual([1, 3, 1, 11]);
  expect(mark("whole file", { line: null })).toEqual([1, 1, 1, 11]);
});
it("stays inside a source that has changed meanwhile", () => {
  expect(mark("a", { line: 99, column: 99, end_line: 120, end_column: 5 })).toEqual([1, 2, 1, 3]);
  expect(mark("", { column: 1 })).toEqual([1, 1, 1, 2]);
  expect(mark("abc", { column: 3, end_line: 1, end_column: 1 })).toEqual([1, 3, 1, 4]);
  expect(mark("abc", { line: 0, column: 0 })).toEqual([1, 1, 1, 4]);
});
it("counts problems in words", () => {
  const of = (...severities: Problem["severity"][]) =>
    summaryOf(severities.map((severity) => ({ line: 1, column: 1, end_line: null, end_column: null, message: "", severity })));
  expect(of()).toBe("No problems");
  expect(of("error")).toBe("1 problem");
  expect(of("error", "error", "warning")).toBe("2 problems, 1 warning");
  expect(of("warning", "warning")).toBe("2 warnings");
});
