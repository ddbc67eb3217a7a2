/** What a plugin is deployed with, beside its source. */
import type { InputType, Limits, PluginCode } from "../api/types";
import { DEFAULT_LIMITS, LIMIT_FIELDS } from "./limits";

export interface Details {
  description: string;
  inputType: InputType;
  hint: string;
  limits: Limits;
}

export const EMPTY_DETAILS: Details = { description: "", inputType: "text", hint: "", limits: DEFAULT_LIMITS };

export const MAX_DESCRIPTION_CHARACTERS = 10_000;
export const MAX_HINT_CHARACTERS = 1_000;

export const detailsOf = (plugin: PluginCode): Details => ({
  description: plugin.description,
  inputType: plugin.input_type,
  hint: plugin.input_hint,
  limits: { ...DEFAULT_LIMITS, ...plugin.limits },
});

/** Details out of what the browser kept, which may be anything. */
export function readDetails(kept: unknown): Details {
  const value = (typeof kept === "object" && kept !== null ? kept : {}) as Record<string, unknown>;
  const text = (key: string) => (typeof value[key] === "string" ? value[key] : "");
  const limits = { ...DEFAULT_LIMITS };
  const given = (typeof value.limits === "object" && value.limits !== null ? value.limits : {}) as Record<string, unknown>;
  for (const { key } of LIMIT_FIELDS) {
    const number = given[key];
    if (typeof number === "number" && Number.isSafeInteger(number) && number >= 0) limits[key] = number;
  }
  const type = text("inputType");
  return { description: text("description"), inputType: type === "json" || type === "file" ? type : "text", hint: text("hint"), limits };
}

/** What of the details is not as it is deployed, in words. */
export function differences(before: Details, after: Details): string[] {
  const found: string[] = [];
  if (before.description !== after.description) found.push("description");
  if (before.inputType !== after.inputType) found.push(`input type (${before.inputType} → ${after.inputType})`);
  if (before.hint !== after.hint) found.push("input hint");
  for (const { key, label } of LIMIT_FIELDS) if (before.limits[key] !== after.limits[key]) found.push(`limit: ${label.toLowerCase()}`);
  return found;
}
