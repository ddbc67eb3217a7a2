import { useState } from "react";

const SHOWN_AT_FIRST = 100;
const OPEN_LEVELS = 2;
const OPEN_UP_TO = 30;
const SHORT_CHARACTERS = 60;

/** JSON that folds. What is folded is not laid out at all, so that megabytes open at once. */
export function JsonTree({ value }: { value: unknown }) {
  return (
    <div className="json-tree">
      <Node value={value} level={0} />
    </div>
  );
}

function Node({ name, value, level }: { name?: string; value: unknown; level: number }) {
  const label = name === undefined ? null : <span className="json-key">{JSON.stringify(name)}: </span>;
  if (typeof value !== "object" || value === null) {
    return (
      <div className="json-line">
        {label}
        <Scalar value={value} />
      </div>
    );
  }
  return <Folding label={label} value={value} level={level} />;
}

function Folding({ label, value, level }: { label: React.ReactNode; value: object; level: number }) {
  const list = Array.isArray(value);
  const entries: [string, unknown][] = Object.entries(value);
  const [open, setOpen] = useState(level === 0 || (level < OPEN_LEVELS && entries.length <= OPEN_UP_TO));
  const [shown, setShown] = useState(SHOWN_AT_FIRST);
  const [begin, end] = list ? ["[", "]"] : ["{", "}"];
  if (entries.length === 0) {
    return (
      <div className="json-line">
        {label}
        {begin}
        {end}
      </div>
    );
  }
  const size = `${entries.length} ${list ? "item" : "key"}${entries.length === 1 ? "" : "s"}`;
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {label}
        {begin}
        {!open && <Folded value={value} size={size} end={end} />}
      </summary>
      {open && (
        <div className="json-children">
          {entries.slice(0, shown).map(([key, child]) => (
            <Node key={key} {...(list ? {} : { name: key })} value={child} level={level + 1} />
          ))}
          {entries.length > shown && (
            <button type="button" className="button button-plain button-small" onClick={() => setShown(shown * 4)}>
              Show more ({entries.length - shown} left)
            </button>
          )}
        </div>
      )}
      {open && <div>{end}</div>}
    </details>
  );
}

/** What is folded: itself if that is short, else how much it is. */
function Folded({ value, size, end }: { value: object; size: string; end: string }) {
  const entries = Object.values(value) as unknown[];
  const flat = entries.length <= 6 && entries.every((one) => typeof one !== "object" || one === null);
  const whole = flat ? JSON.stringify(value) : "";
  return whole && whole.length <= SHORT_CHARACTERS ? (
    <span className="json-size">{whole.slice(1)}</span>
  ) : (
    <span className="json-size">
      {" "}
      {size} {end}
    </span>
  );
}

function Scalar({ value }: { value: unknown }) {
  const kind = value === null ? "null" : typeof value;
  return <span className={`json-${kind}`}>{typeof value === "string" ? JSON.stringify(value) : String(value)}</span>;
}
