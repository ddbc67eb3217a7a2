import { structuredPatch } from "diff";

export interface Line {
  kind: "same" | "added" | "removed" | "gap";
  text: string;
  before: number | null;
  after: number | null;
}

export interface Difference {
  lines: Line[];
  added: number;
  removed: number;
}

/** Longest that comparing may hold the page up. */
const PATIENCE_MS = 1_500;

/** Changed lines with three lines around them; null if the texts differ too much to compare in time. */
export function difference(before: string, after: string): Difference | null {
  const patch = structuredPatch("", "", before, after, "", "", { context: 3, timeout: PATIENCE_MS });
  if (!patch) return null;
  const lines: Line[] = [];
  let [added, removed] = [0, 0];
  for (const hunk of patch.hunks) {
    let [i, j] = [hunk.oldStart, hunk.newStart];
    if (lines.length || i > 1) lines.push({ kind: "gap", text: `Line ${j}`, before: null, after: null });
    for (const line of hunk.lines) {
      const text = line.slice(1);
      if (line[0] === "+") {
        lines.push({ kind: "added", text, before: null, after: j++ });
        added++;
      } else if (line[0] === "-") {
        lines.push({ kind: "removed", text, before: i++, after: null });
        removed++;
      } else if (line[0] === " ") lines.push({ kind: "same", text, before: i++, after: j++ });
    }
  }
  return { lines, added, removed };
}
