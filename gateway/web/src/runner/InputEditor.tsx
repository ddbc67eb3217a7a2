import { useId, useMemo } from "react";
import type { InputType } from "../api/types";
import { Button } from "../ui/Button";
import { bytes } from "../ui/format";
import { FileInput } from "./FileInput";
import { type RunInput, problemOf, sizeOf } from "./input";

const NAMES: Record<InputType, string> = { text: "Text", json: "JSON", file: "File" };

/** The input of a run. Ctrl-Enter is the business of whoever shows it. */
export function InputEditor({
  input,
  onChange,
  hint,
  limitBytes,
  tried,
}: {
  input: RunInput;
  onChange: (input: RunInput) => void;
  hint: string;
  limitBytes: number | undefined;
  /** Whether a run was tried: only then is an empty input called a problem. */
  tried: boolean;
}) {
  const id = useId();
  const problem = useMemo(() => problemOf(input, limitBytes), [input, limitBytes]);
  const size = useMemo(() => sizeOf(input), [input]);
  const empty = input.as === "file" ? !input.file : !input.text.trim();
  const shown = empty && !tried ? null : problem;
  return (
    <div className="field input-editor">
      <div className="row input-editor-bar">
        <label className="field-label" htmlFor={id}>
          Input
        </label>
        <span className="spacer" />
        {input.as === "json" && (
          <Button
            small
            kind="quiet"
            disabled={problem !== null}
            onClick={() => onChange({ ...input, text: JSON.stringify(JSON.parse(input.text), null, 2) })}
          >
            Format
          </Button>
        )}
        <div className="segmented" role="radiogroup" aria-label="Kind of input">
          {(["text", "json", "file"] as const).map((as) => (
            <button key={as} type="button" role="radio" aria-checked={input.as === as} onClick={() => onChange({ ...input, as })}>
              {NAMES[as]}
            </button>
          ))}
        </div>
      </div>
      {hint && (
        <p className="field-note" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {input.as === "file" ? (
        <FileInput id={id} file={input.file} onChange={(file) => onChange({ ...input, file })} />
      ) : (
        <textarea
          id={id}
          className={`textarea ${input.as === "json" ? "textarea-code" : ""}`}
          value={input.text}
          onChange={(event) => onChange({ ...input, text: event.target.value })}
          placeholder={input.as === "json" ? '{"name": "value"}' : "Type or paste the text the plugin works on"}
          spellCheck={input.as === "text"}
          aria-invalid={shown !== null}
          aria-describedby={`${id}-problem ${id}-hint`}
        />
      )}
      <p className="row input-editor-foot" id={`${id}-problem`}>
        <span className="field-problem" role={shown ? "alert" : undefined}>
          {shown}
        </span>
        <span className="spacer" />
        <span className="field-note">
          {bytes(size)}
          {limitBytes !== undefined && ` of ${bytes(limitBytes)}`}
        </span>
      </p>
    </div>
  );
}
