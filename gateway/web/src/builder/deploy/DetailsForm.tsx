import { useId, useState } from "react";
import type { InputType } from "../../api/types";
import { type Details, differences, EMPTY_DETAILS, MAX_DESCRIPTION_CHARACTERS, MAX_HINT_CHARACTERS } from "../details";
import { problemOfName } from "../names";
import { LimitsFields } from "./LimitsFields";

const TYPES: [InputType, string, string][] = [
  ["text", "Text", "Whoever runs it types or pastes text."],
  ["json", "JSON", "The input is checked and formatted before it is sent."],
  ["file", "File", "A file of any type, as it is."],
];

/** Name, description, input and limits of what is deployed. */
export function DetailsForm({
  name,
  onName,
  details,
  onDetails,
  onLimitsProblem,
  tried,
}: {
  name: string;
  onName: (name: string) => void;
  details: Details;
  onDetails: (details: Details) => void;
  onLimitsProblem: (there: boolean) => void;
  /** Whether deploying was tried: an empty field is no problem before. */
  tried: boolean;
}) {
  const id = useId();
  const change = (change: Partial<Details>) => onDetails({ ...details, ...change });
  const wrong = name || tried ? problemOfName(name) : null;
  const [limitsOpen] = useState(() => differences(EMPTY_DETAILS, { ...EMPTY_DETAILS, limits: details.limits }).length > 0);
  return (
    <div className="stack">
      <div className="field">
        <label htmlFor={`${id}-name`}>Name</label>
        <input
          id={`${id}-name`}
          className="input mono"
          autoFocus={!name}
          value={name}
          onChange={(event) => onName(event.target.value.trim())}
          placeholder="my_plugin"
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          aria-invalid={wrong !== null}
          aria-describedby={`${id}-name-about`}
        />
        <p id={`${id}-name-about`} className={wrong ? "field-problem" : "field-note"} role={wrong && tried ? "alert" : undefined}>
          {wrong ?? "Up to 64 letters, digits, - and _. It is part of the address that callers use."}
        </p>
      </div>
      <div className="field">
        <label htmlFor={`${id}-description`}>Description</label>
        <textarea
          id={`${id}-description`}
          className="textarea"
          rows={3}
          style={{ minHeight: 76 }}
          value={details.description}
          maxLength={MAX_DESCRIPTION_CHARACTERS}
          onChange={(event) => change({ description: event.target.value })}
          aria-describedby={`${id}-description-about`}
        />
        <p id={`${id}-description-about`} className="field-note">
          What it does, for those who look for it. Markdown.
        </p>
      </div>
      <div className="field" role="group" aria-labelledby={`${id}-type`}>
        <span id={`${id}-type`} className="field-label">
          Input
        </span>
        <div className="row">
          <div className="segmented" role="radiogroup" aria-labelledby={`${id}-type`}>
            {TYPES.map(([type, label]) => (
              <button key={type} type="button" role="radio" aria-checked={details.inputType === type} onClick={() => change({ inputType: type })}>
                {label}
              </button>
            ))}
          </div>
          <span className="field-note">{TYPES.find(([type]) => type === details.inputType)?.[2]}</span>
        </div>
      </div>
      <div className="field">
        <label htmlFor={`${id}-hint`}>Hint for the input</label>
        <input
          id={`${id}-hint`}
          className="input"
          value={details.hint}
          maxLength={MAX_HINT_CHARACTERS}
          onChange={(event) => change({ hint: event.target.value })}
          placeholder="A text of up to 3,500 characters"
        />
      </div>
      <details className="limits-details" open={limitsOpen || undefined}>
        <summary>Limits of one execution</summary>
        <LimitsFields limits={details.limits} onChange={(limits) => change({ limits })} onProblem={onLimitsProblem} />
      </details>
    </div>
  );
}
