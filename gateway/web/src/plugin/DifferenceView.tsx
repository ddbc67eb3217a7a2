import { useMemo, useState } from "react";
import { count } from "../ui/format";
import { difference, type Line } from "./difference";
import "./difference.css";

const SIGNS: Record<Line["kind"], string> = { same: " ", added: "+", removed: "-", gap: " " };
const READ: Record<Line["kind"], string> = { same: "", added: "added: ", removed: "removed: ", gap: "" };
const SHOWN_AT_FIRST = 600;

/** What changed from one source to another. */
export function DifferenceView({ before, after }: { before: string; after: string }) {
  const found = useMemo(() => difference(before, after), [before, after]);
  const [shown, setShown] = useState(SHOWN_AT_FIRST);
  if (before === after) return <p className="difference-note muted">The source is the same.</p>;
  if (!found) return <p className="difference-note muted">These differ too much to be compared here.</p>;
  return (
    <div className="difference" tabIndex={0} role="region" aria-label="Changed lines, scrolls">
      <p className="difference-note small">
        <span className="difference-plus">{count(found.added)} added</span>,{" "}
        <span className="difference-minus">{count(found.removed)} removed</span>
      </p>
      <table className="difference-lines">
        <tbody>
          {found.lines.slice(0, shown).map((line, i) => (
            <tr key={i} data-kind={line.kind}>
              <td className="difference-number">{line.before}</td>
              <td className="difference-number">{line.after}</td>
              <td className="difference-sign" aria-hidden>
                {SIGNS[line.kind]}
              </td>
              <td className="difference-text">
                <span className="hidden-visually">{READ[line.kind]}</span>
                {line.text}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {found.lines.length > shown && (
        <p className="difference-note">
          <button type="button" className="button button-plain button-small" onClick={() => setShown(shown * 4)}>
            Show more ({count(found.lines.length - shown)} lines left)
          </button>
        </p>
      )}
    </div>
  );
}
