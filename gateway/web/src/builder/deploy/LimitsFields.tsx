import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { getJson } from "../../api/client";
import type { Limits } from "../../api/types";
import { Button } from "../../ui/Button";
import { ceilingsOf, DEFAULT_CEILINGS, DEFAULT_LIMITS, LIMIT_FIELDS, type LimitField, readLimit, shown } from "../limits";

const openapiQuery = {
  queryKey: ["openapi"],
  queryFn: ({ signal }: { signal: AbortSignal }) => getJson<unknown>("/openapi.json", { signal }),
  staleTime: Number.POSITIVE_INFINITY,
};

/** Limits of the plugin, each with what is usual and what is allowed here. */
export function LimitsFields({ limits, onChange, onProblem }: { limits: Limits; onChange: (limits: Limits) => void; onProblem: (there: boolean) => void }) {
  const { data } = useQuery(openapiQuery);
  const ceilings = data === undefined ? DEFAULT_CEILINGS : ceilingsOf(data);
  const [texts, setTexts] = useState<Record<string, string>>(() => textsOf(limits));

  const change = (field: LimitField, text: string) => {
    const next = { ...texts, [field.key]: text };
    setTexts(next);
    const read = LIMIT_FIELDS.map((one) => [one.key, readLimit(next[one.key] ?? "", one, ceilings)] as const);
    onProblem(read.some(([, result]) => "problem" in result));
    onChange(Object.fromEntries(read.map(([key, result]) => [key, "value" in result ? result.value : limits[key]])) as unknown as Limits);
  };
  const usual = () => {
    setTexts(textsOf(DEFAULT_LIMITS));
    onProblem(false);
    onChange(DEFAULT_LIMITS);
  };
  return (
    <div className="limits">
      <div className="limits-fields">
        {LIMIT_FIELDS.map((field) => (
          <LimitInput key={field.key} field={field} text={texts[field.key] ?? ""} ceilings={ceilings} onChange={(text) => change(field, text)} />
        ))}
      </div>
      <div className="row">
        <Button small onClick={usual}>
          Use the usual limits
        </Button>
      </div>
    </div>
  );
}

function LimitInput({ field, text, ceilings, onChange }: { field: LimitField; text: string; ceilings: Limits; onChange: (text: string) => void }) {
  const id = useId();
  const read = readLimit(text, field, ceilings);
  const problem = "problem" in read ? read.problem : null;
  return (
    <div className="field">
      <label htmlFor={id}>
        {field.label} <span className="muted">({field.unit})</span>
      </label>
      <input
        id={id}
        className="input"
        inputMode="decimal"
        autoComplete="off"
        value={text}
        placeholder={shown(DEFAULT_LIMITS[field.key], field)}
        onChange={(event) => onChange(event.target.value)}
        aria-invalid={problem !== null}
        aria-describedby={`${id}-about`}
      />
      <p id={`${id}-about`} className={problem ? "field-problem" : "field-note"}>
        {problem ?? `Usually ${shown(DEFAULT_LIMITS[field.key], field)}, at most ${shown(ceilings[field.key], field)}. ${field.about}`}
      </p>
    </div>
  );
}

const textsOf = (limits: Limits) => Object.fromEntries(LIMIT_FIELDS.map((field) => [field.key, shown(limits[field.key], field)]));
