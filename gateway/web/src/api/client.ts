/** Requests to the gateway this page came from. Every failure is an `ApiError`. */
import { connection } from "./connection";
import { ApiError, asApiError, type Kind } from "./errors";

const ANSWER_WITHIN_MS = 30_000;

/** A response with status 2xx.
 *
 * @throws ApiError: no connection, or any other status; its message is the gateway's own sentence.
 */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (init.signal?.aborted && (init.signal.reason as Error | undefined)?.name !== "TimeoutError") throw asApiError(error);
    connection.failed();
    throw new ApiError("unreachable", "No answer from the gateway");
  }
  connection.answered();
  if (!response.ok) throw await problem(response);
  return response;
}

/** JSON of an answer that must come within 30 s. */
export async function getJson<T>(path: string, init: RequestInit = {}): Promise<T> {
  const deadline = AbortSignal.timeout(ANSWER_WITHIN_MS);
  const signal = init.signal ? AbortSignal.any([init.signal, deadline]) : deadline;
  const response = await request(path, { ...init, signal });
  try {
    return (await response.json()) as T;
  } catch {
    throw new ApiError("unknown", `${path} did not answer with JSON`);
  }
}

export function postJson<T>(path: string, body: unknown, init: RequestInit = {}): Promise<T> {
  return getJson<T>(path, {
    ...init,
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

/** A path segment for a plugin's name or a revision. */
export const segment = encodeURIComponent;

async function problem(response: Response): Promise<ApiError> {
  let body: Record<string, unknown> = {};
  try {
    body = (await response.json()) as Record<string, unknown>;
  } catch {
    // A proxy's page, or nothing: the status has to do.
  }
  const text = (value: unknown) => (typeof value === "string" && value ? value : undefined);
  const message = text(body.error) ?? text(body.detail) ?? `${response.status} ${response.statusText}`;
  const retryAfter = Number(response.headers.get("Retry-After"));
  return new ApiError((text(body.error_type) as Kind | undefined) ?? kindOf(response.status), message, {
    status: response.status,
    code: text(body.code) ?? null,
    executionId: text(body.execution_id) ?? response.headers.get("Wasmforge-Execution-Id"),
    retryAfterSeconds: retryAfter > 0 ? retryAfter : null,
    phases: (body.phases_us as Record<string, number> | undefined) ?? null,
  });
}

function kindOf(status: number): Kind {
  if (status === 404) return "not_found";
  if (status === 409) return "conflict";
  if (status === 413) return "too_large";
  if (status === 503 || status === 502) return "unavailable";
  if (status === 504) return "timeout";
  return status < 500 ? "invalid_input" : "runtime_error";
}
