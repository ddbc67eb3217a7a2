import { CircleAlert, CircleCheck, CircleHelp, TriangleAlert } from "lucide-react";
import { MOD } from "../ui/keys";
import type { CheckState } from "./check";
import { summaryOf } from "./markers";

const SHOWN_AT_MOST = 50;

/** What the checker says, in one line that is always there, and each problem as a link to its place. */
export function Problems({ checks, onLine }: { checks: CheckState; onLine: (line: number, column?: number) => void }) {
  const { problems, status } = checks;
  const worst = problems.some((problem) => problem.severity === "error") ? "error" : problems.length ? "warning" : "none";
  const Icon = status === "unknown" ? CircleHelp : { error: CircleAlert, warning: TriangleAlert, none: CircleCheck }[worst];
  const text = status === "unknown" ? "Not checked: the checker does not answer" : status === "checking" && !problems.length ? "Checking…" : summaryOf(problems);
  return (
    <div className="problems" data-worst={status === "unknown" ? "unknown" : worst}>
      <p className="problems-summary" role="status" title={status === "unknown" ? checks.why : undefined}>
        <Icon size={15} aria-hidden /> {text}
        <span className="spacer" />
        <span className="problems-keys" aria-hidden>
          Tab indents; <kbd>{MOD} M</kbd> lets it leave the editor
        </span>
      </p>
      {problems.length > 0 && (
        <ul className="problems-list" aria-label="Problems">
          {problems.slice(0, SHOWN_AT_MOST).map((problem, i) => (
            <li key={`${i}-${problem.line}`}>
              <button type="button" onClick={() => onLine(problem.line ?? 1, problem.column ?? undefined)}>
                <span className="problems-place">{problem.line === null ? "" : `${problem.line}:${problem.column ?? 1}`}</span>
                <span data-severity={problem.severity}>{problem.message}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
