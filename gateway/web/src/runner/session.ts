/** One run after another, as a store that React reads: output and log as they come, then how it ended.
 *
 * Shared by everything that streams from the gateway: plugins, drafts, the model playground.
 */
import { request } from "../api/client";
import { connection } from "../api/connection";
import { ApiError, asApiError } from "../api/errors";
import { readEvents } from "../api/events";

export interface Outcome {
  success: boolean;
  /** An `error_type`, or one of the page's own kinds; null on success. */
  kind: string | null;
  /** The traceback or sentence that came with it. */
  error: string | null;
  code: string | null;
  executionId: string | null;
  retryAfterSeconds: number | null;
  /** Microseconds by phase. */
  phases: Record<string, number>;
  /** All of the last event's data, for streams that say more. */
  data: Record<string, unknown>;
}

export interface RunState {
  /** Counts runs, so that views of an old one can be told from the new one's. */
  run: number;
  status: "idle" | "running" | "done";
  text: string;
  outputBytes: number;
  /** Whether any piece was not UTF-8. */
  binary: boolean;
  log: string;
  outcome: Outcome | null;
  revision: string | null;
  /** From sending to the first piece of output and to the end, as this page saw it. */
  firstOutputMs: number | null;
  totalMs: number | null;
}

const IDLE: RunState = {
  run: 0,
  status: "idle",
  text: "",
  outputBytes: 0,
  binary: false,
  log: "",
  outcome: null,
  revision: null,
  firstOutputMs: null,
  totalMs: null,
};

/** Accept header that keeps output that is not text. */
export const STREAM = "text/event-stream; output=bytes";

const PAINT_EVERY_MS = 50;

export class RunSession {
  #state: RunState = IDLE;
  #pieces: (string | Uint8Array<ArrayBuffer>)[] = [];
  #listeners = new Set<() => void>();
  #abort: AbortController | null = null;
  #painting = false;
  #paintedAt = Number.NEGATIVE_INFINITY;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  current = (): RunState => this.#state;

  /** The output so far, byte for byte. */
  bytes = (type = "application/octet-stream"): Blob => new Blob(this.#pieces, { type });

  /** The first bytes of the output, to tell what it is. */
  head = (length = 16): Uint8Array => {
    const head = new Uint8Array(length);
    let filled = 0;
    for (const piece of this.#pieces) {
      if (filled === length) break;
      const bytes = typeof piece === "string" ? new TextEncoder().encode(piece.slice(0, length)) : piece;
      const part = bytes.subarray(0, length - filled);
      head.set(part, filled);
      filled += part.length;
    }
    return head.subarray(0, filled);
  };

  /** Stop the run; closing the connection cancels the execution. */
  cancel = (): void => this.#abort?.abort();

  /** Forget the last run; one that is under way is stopped. */
  reset = (): void => {
    this.cancel();
    this.#abort = null;
    this.#pieces = [];
    this.#state = { ...IDLE, run: this.#state.run };
    this.#tell();
  };

  /** Send a request whose answer is a stream of events, and follow it to its end. A run under way is stopped first.
   *
   * Never rejects: how it ended is in the state, and returned. `withinMs` bounds the wait for a network that went away
   * without a word.
   */
  start = async (path: string, init: RequestInit, withinMs = 630_000): Promise<Outcome> => {
    this.cancel();
    const abort = new AbortController();
    this.#abort = abort;
    this.#pieces = [];
    this.#paintedAt = Number.NEGATIVE_INFINITY;
    const began = performance.now();
    this.#state = { ...IDLE, run: this.#state.run + 1, status: "running" };
    this.#tell();
    const mine = () => this.#abort === abort;
    let outcome: Outcome | null = null;
    try {
      const signal = AbortSignal.any([abort.signal, AbortSignal.timeout(withinMs)]);
      const headers = new Headers(init.headers);
      headers.set("Accept", STREAM);
      const response = await request(path, { ...init, method: "POST", headers, signal });
      if (mine()) this.#state.revision = response.headers.get("Wasmforge-Revision");
      const executionId = response.headers.get("Wasmforge-Execution-Id");
      for await (const { event, data } of readEvents(response.body ?? new ReadableStream())) {
        if (!mine()) break;
        if (event === "output") this.#take(JSON.parse(data) as string | { base64: string }, began);
        else if (event === "log") this.#state.log += JSON.parse(data) as string;
        else if (event === "done") outcome = ended(JSON.parse(data) as Record<string, unknown>, executionId);
        this.#paintSoon();
      }
      if (outcome === null && !abort.signal.aborted) throw new ApiError("interrupted", "The stream ended before the run did", { executionId });
    } catch (error) {
      outcome = failed(error, abort.signal.aborted, this.#pieces.length > 0);
    }
    outcome ??= failed(new DOMException("", "AbortError"), true, false);
    if (mine()) {
      this.#state = { ...this.#state, status: "done", outcome, totalMs: performance.now() - began };
      this.#tell();
    }
    return outcome;
  };

  #take(piece: string | { base64: string }, began: number): void {
    const state = this.#state;
    state.firstOutputMs ??= performance.now() - began;
    if (typeof piece === "string") {
      this.#pieces.push(piece);
      state.text += piece;
      state.outputBytes += utf8Bytes(piece);
    } else {
      const bytes = Uint8Array.from(atob(piece.base64), (c) => c.charCodeAt(0));
      this.#pieces.push(bytes);
      state.text += new TextDecoder().decode(bytes);
      state.outputBytes += bytes.length;
      state.binary = true;
    }
  }

  /** Pieces may come by the thousand a second. The first is painted in the next frame; of later ones not every frame
   * is made, so that most are left to whoever types meanwhile.
   */
  #paintSoon(): void {
    if (this.#painting) return;
    this.#painting = true;
    const paint = () => {
      this.#painting = false;
      this.#paintedAt = performance.now();
      this.#state = { ...this.#state };
      this.#tell();
    };
    const rest = this.#paintedAt + PAINT_EVERY_MS - performance.now();
    // A page in the background gets no frames.
    if (document.hidden) setTimeout(paint, 100);
    else if (rest > 0) setTimeout(paint, rest);
    else requestAnimationFrame(paint);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

function ended(data: Record<string, unknown>, executionId: string | null): Outcome {
  const text = (value: unknown) => (typeof value === "string" && value ? value : null);
  return {
    success: data.success === true,
    kind: text(data.error_type),
    error: text(data.error),
    code: text(data.code) ?? text(data.error_code),
    executionId: text(data.execution_id) ?? executionId,
    retryAfterSeconds: null,
    phases: (data.phases as Record<string, number> | undefined) ?? {},
    data,
  };
}

function failed(error: unknown, aborted: boolean, started: boolean): Outcome {
  let found = aborted ? new ApiError("cancelled", "You stopped the run") : asApiError(error);
  if (found.kind === "unknown" && error instanceof TypeError) {
    // What `fetch` throws when a body breaks off.
    connection.failed();
    found = new ApiError("interrupted", started ? "The connection broke after the first output" : "The connection broke");
  }
  return {
    success: false,
    kind: found.kind,
    error: found.message,
    code: found.more.code ?? null,
    executionId: found.more.executionId ?? null,
    retryAfterSeconds: found.more.retryAfterSeconds ?? null,
    phases: found.more.phases ?? {},
    data: {},
  };
}

function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    // Halves of a surrogate pair are two bytes each of the four.
    if (code > 0x7f) bytes += code > 0x7ff && (code < 0xd800 || code > 0xdfff) ? 2 : 1;
  }
  return bytes;
}
