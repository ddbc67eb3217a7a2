import { useState } from "react";
import { count } from "../ui/format";

const SHOWN_AT_FIRST = 200;

export function TableView({ rows }: { rows: string[][] }) {
  const [shown, setShown] = useState(SHOWN_AT_FIRST);
  const [heading = [], ...body] = rows;
  const numeric = heading.map((_, i) => body.length > 0 && body.slice(0, 50).every((row) => !row[i] || isNumber(row[i])));
  return (
    <div>
      <table className="table">
        <thead>
          <tr>
            {heading.map((field, i) => (
              <th key={i} scope="col" className={numeric[i] ? "number" : undefined}>
                {field}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {body.slice(0, shown).map((row, i) => (
            <tr key={i}>
              {heading.map((_, j) => (
                <td key={j} className={numeric[j] ? "number" : undefined}>
                  {row[j] ?? ""}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {body.length > shown && (
        <p className="row table-more">
          <span className="muted">
            {count(shown)} of {count(body.length)} rows
          </span>
          <button type="button" className="button button-plain button-small" onClick={() => setShown(shown * 4)}>
            Show more
          </button>
        </p>
      )}
    </div>
  );
}

const isNumber = (text: string) => text.trim() !== "" && Number.isFinite(Number(text));
