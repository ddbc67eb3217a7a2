/** Problems as an editor marks them: always a range that can be seen, inside the source. */
import type { Problem } from "./check";

export interface Mark {
  startLineNumber: number;
  startColumn: number;
  endLineNumber: number;
  endColumn: number;
  message: string;
  severity: Problem["severity"];
}

/** The part of an editor's model that is needed. */
export interface Lines {
  getLineCount(): number;
  getLineContent(line: number): string;
}

const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);

/** Marks of problems in a source that may have changed since they were found. */
export function marksOf(problems: readonly Problem[], lines: Lines): Mark[] {
  return problems.map((problem) => {
    const count = lines.getLineCount();
    const startLineNumber = clamp(problem.line ?? 1, 1, count);
    const text = lines.getLineContent(startLineNumber);
    const first = text.search(/\S|$/) + 1;
    const startColumn = problem.column === null || problem.line === null ? first : clamp(problem.column, 1, text.length + 1);
    let endLineNumber = clamp(problem.end_line ?? startLineNumber, startLineNumber, count);
    let endColumn = problem.end_column ?? 0;
    if (endLineNumber === startLineNumber && endColumn <= startColumn) {
      // No end, or an empty range: the word that starts there, or else the rest of the line.
      const word = /^\w+/.exec(text.slice(startColumn - 1))?.[0].length;
      endColumn = problem.column === null ? text.length + 1 : startColumn + (word ?? 1);
    }
    const last = lines.getLineContent(endLineNumber).length + 1;
    endColumn = clamp(endColumn, 1, Math.max(last, 2));
    if (endLineNumber === startLineNumber && endColumn <= startColumn) endColumn = startColumn + 1;
    if (problem.end_line !== null && problem.end_line > count) endLineNumber = count;
    return { startLineNumber, startColumn, endLineNumber, endColumn, message: problem.message, severity: problem.severity };
  });
}

/** "2 problems", "1 problem, 1 warning", "No problems". */
export function summaryOf(problems: readonly Problem[]): string {
  const errors = problems.filter((problem) => problem.severity === "error").length;
  const warnings = problems.length - errors;
  const say = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`;
  if (!problems.length) return "No problems";
  return [errors && say(errors, "problem"), warnings && say(warnings, "warning")].filter(Boolean).join(", ");
}
