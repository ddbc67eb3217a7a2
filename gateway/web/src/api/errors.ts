/** What went wrong, in a form that a page can say in words. */
import type { Problem } from "./types";

/** `error_type`s of the gateway, and what this page alone can tell: the connection failed or broke. */
export type Kind = Problem["error_type"] | "unreachable" | "interrupted" | "conflict" | "unknown";

export class ApiError extends Error {
  override name = "ApiError";
  constructor(
    readonly kind: Kind,
    message: string,
    readonly more: {
      status?: number;
      code?: string | null;
      executionId?: string | null;
      retryAfterSeconds?: number | null;
      phases?: Record<string, number> | null;
    } = {},
  ) {
    super(message);
  }
}

export interface Words {
  title: string;
  /** What to do about it; one or two sentences. */
  advice: string;
}

const WORDS: Record<Kind, Words> = {
  plugin_error: {
    title: "The plugin stopped with an error",
    advice: "The last line says what happened, the lines above where. Check the input, or mend that line of the source.",
  },
  sandbox_violation: {
    title: "The plugin tried what the sandbox does not allow",
    advice: "Plugins have no network, no files and no processes. Work with the input and the models instead.",
  },
  out_of_memory: {
    title: "The plugin ran out of memory",
    advice: "Try a smaller input, or deploy the plugin with a higher memory limit.",
  },
  output_too_large: {
    title: "The output is larger than the plugin's limit",
    advice: "Try a smaller input, or deploy the plugin with a higher output limit.",
  },
  timeout: {
    title: "The time was up",
    advice: "The plugin was stopped. Try a smaller input, or deploy it with a longer time limit.",
  },
  ai_error: {
    title: "A model call failed",
    advice: "The Models page shows which models are there and what is left of the budgets.",
  },
  invalid_input: { title: "The request can't be used", advice: "Change what the message names and send it again." },
  not_found: {
    title: "There is no such plugin",
    advice: "It may have been deleted, or the name is misspelt. The list of plugins shows what is there.",
  },
  too_large: { title: "The input is too large", advice: "Send less, or deploy the plugin with a higher input limit." },
  busy: { title: "Every executor is busy", advice: "Nothing was run. Try again in a moment." },
  unavailable: {
    title: "A part of the platform is away",
    advice: "Nothing is lost. It is usually back within seconds; try again then.",
  },
  runtime_error: { title: "The platform failed", advice: "This is not the plugin's fault. Try again; the log has the details." },
  unreachable: {
    title: "The gateway does not answer",
    advice: "Check that WasmForge is running and that you are connected. Your input is kept.",
  },
  interrupted: {
    title: "The connection broke in the middle of the run",
    advice: "What had arrived is shown. Whether the plugin finished is not known; run it again if that does no harm.",
  },
  cancelled: { title: "Cancelled", advice: "The run was stopped. Run it again at any time." },
  conflict: { title: "Somebody was quicker", advice: "It was changed meanwhile. Reload, look at the change and decide." },
  unknown: { title: "That did not work", advice: "Try again; if it goes on, the message below says more." },
};

const AI_ADVICE: Record<string, string> = {
  model_not_allowed: "The plugin asked for a model that is not approved. The Models page lists those that are.",
  model_not_found: "The plugin asked for a model that is not there. The Models page lists those that are.",
  prompt_too_long: "The prompt was too long for a model call. Try a shorter input.",
  too_many_calls: "The plugin made more model calls than one execution may. Deploy it with a higher limit, or ask less.",
  unavailable: "The model server is away. Try again in a moment; the Models page shows when it is back.",
  timeout: "The model took too long. Try a shorter input, or once more.",
  busy: "The models are busy. Try again in a moment.",
  budget_exceeded: "A budget is used up. The Models page shows which one, and when it begins anew.",
  format_mismatch: "The model's answer did not have the form that was asked for. Try again, or ask another model.",
  not_supported: "The model can't do what was asked. The Models page shows what each of them can.",
};

/** Title and advice for a failure. */
export function inWords(kind: string | null | undefined, code?: string | null): Words {
  const words = WORDS[(kind ?? "unknown") as Kind] ?? WORDS.unknown;
  const advice = kind === "ai_error" && code ? AI_ADVICE[code] : undefined;
  return advice ? { ...words, advice } : words;
}

/** Any thrown thing as an `ApiError`. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof DOMException && error.name === "AbortError") return new ApiError("cancelled", "Cancelled");
  if (error instanceof DOMException && error.name === "TimeoutError") return new ApiError("unreachable", "No answer in time");
  return new ApiError("unknown", error instanceof Error ? error.message : String(error));
}
