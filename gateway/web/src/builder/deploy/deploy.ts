/** Sends a draft to the gateway, to be called under its name from then on. */
import { request } from "../../api/client";
import { ApiError } from "../../api/errors";
import type { Uploaded } from "../../api/types";
import type { Details } from "../details";
import { changedLimits } from "../limits";

const ANSWER_WITHIN_MS = 60_000;

/** @param expected the revision it replaces; null if there must be none of this name yet.
 *
 * @throws ApiError: `conflict` if another was deployed meanwhile; `invalid_input` for a source that does not compile.
 */
export async function deploy(name: string, source: string, details: Details, expected: string | null): Promise<Uploaded> {
  const form = new FormData();
  form.set("file", new File([source], `${name}.py`, { type: "text/x-python" }));
  form.set("name", name);
  form.set("description", details.description);
  form.set("input_type", details.inputType);
  form.set("input_hint", details.hint);
  form.set("limits", JSON.stringify(changedLimits(details.limits)));
  form.set("expected_revision", expected ?? "");
  const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
  const response = await request("/api/plugins/upload", { method: "POST", body: form, signal });
  try {
    return (await response.json()) as Uploaded;
  } catch {
    throw new ApiError("unknown", "The gateway's answer makes no sense; look whether the plugin is there");
  }
}

/** The place that a refused source names: "line 3, column 7: …". */
export function placeIn(message: string): { line: number; column: number } | null {
  const found = /\bline (\d{1,7})(?:, column (\d{1,7}))?/.exec(message);
  return found ? { line: Number(found[1]), column: Number(found[2] ?? 1) } : null;
}
