/** Runs a draft in the sandbox without deploying it. */
import { type RunInput, problemOf } from "../runner/input";
import type { Outcome, RunSession } from "../runner/session";
import type { Details } from "./details";
import { changedLimits } from "./limits";

const GRACE_MS = 20_000;

/** How the run ended; null if the input can't be sent. */
export async function tryDraft(session: RunSession, source: string, input: RunInput, details: Details): Promise<Outcome | null> {
  if (problemOf(input, details.limits.input_bytes) !== null) return null;
  const given = input.as === "file" && input.file ? { input_base64: await base64(input.file) } : { input: input.text };
  const body = JSON.stringify({ source, ...given, limits: changedLimits(details.limits) });
  const headers = { "Content-Type": "application/json" };
  return session.start("/api/plugins/try", { body, headers }, details.limits.timeout_ms + GRACE_MS);
}

/** The line of the plugin where it failed: the last one that its traceback names. */
export function failedLine(error: string | null): number | null {
  const named = [...(error ?? "").matchAll(/File "plugin\.py", line (\d{1,7})/g)].at(-1)?.[1];
  return named === undefined ? null : Number(named);
}

function base64(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
    reader.onerror = () => reject(reader.error ?? new Error("The file can't be read"));
    reader.readAsDataURL(file);
  });
}
