import { CircleAlert, CircleSlash } from "lucide-react";
import { Fragment } from "react";
import { Link } from "react-router";
import { inWords } from "../api/errors";
import { Button } from "../ui/Button";
import type { Outcome } from "./session";

const PLUGIN_LINE = /(File "plugin\.py", line (\d+))/;

/** Why a run failed, and what to do. */
export function OutcomeNote({
  outcome,
  onRetry,
  onLine,
}: {
  outcome: Outcome;
  onRetry?: () => void;
  onLine?: (line: number) => void;
}) {
  const { title, advice } = inWords(outcome.kind, outcome.code);
  const cancelled = outcome.kind === "cancelled";
  const lastLine = outcome.error?.trim().split("\n").at(-1) ?? "";
  const isTraceback = outcome.error?.startsWith("Traceback") ?? false;
  const Icon = cancelled ? CircleSlash : CircleAlert;
  return (
    <div className={cancelled ? "note" : "note note-problem"} role="alert">
      <Icon size={18} aria-hidden />
      <div className="note-body">
        <p className="note-title">{title}</p>
        {!cancelled && lastLine && <p className="note-detail">{lastLine}</p>}
        <p className="muted">{advice}</p>
        {isTraceback && (
          <details className="traceback" open={Boolean(onLine) || undefined}>
            <summary>Traceback</summary>
            <pre className="note-detail">{withLinks(outcome.error ?? "", onLine)}</pre>
          </details>
        )}
        <div className="row">
          {onRetry && !cancelled && (
            <Button small onClick={onRetry}>
              {outcome.retryAfterSeconds ? `Run again (best in ${outcome.retryAfterSeconds} s)` : "Run again"}
            </Button>
          )}
          {outcome.kind === "ai_error" && <Link to="/models">Models</Link>}
          {outcome.executionId && <span className="muted small mono">{outcome.executionId}</span>}
        </div>
      </div>
    </div>
  );
}

function withLinks(traceback: string, onLine?: (line: number) => void) {
  if (!onLine) return traceback;
  const parts = traceback.split(new RegExp(PLUGIN_LINE, "g"));
  // Split with two groups: text, the whole mark, its number, text, …
  return parts.map((part, i) => {
    if (i % 3 === 2) return null;
    if (i % 3 === 0) return <Fragment key={i}>{part}</Fragment>;
    const line = Number(parts[i + 1]);
    return (
      <button key={i} type="button" className="traceback-line" onClick={() => onLine(line)}>
        {part}
      </button>
    );
  });
}
