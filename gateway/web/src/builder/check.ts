/** Problems of a source as the server's checker finds them, asked for when typing pauses; only the newest answer counts. */
import { postJson } from "../api/client";
import { asApiError } from "../api/errors";
import type { components } from "../api/schema";

/** Lines and columns count from 1. */
export type Problem = Required<Omit<components["schemas"]["SourceProblem"], "file">>;

export interface Checked {
  ok: boolean;
  problems: Problem[];
}

export type CheckState =
  | { status: "checking"; problems: Problem[] }
  | { status: "checked"; problems: Problem[] }
  /** The server could not be asked; the problems are those of an older source. */
  | { status: "unknown"; problems: Problem[]; why: string };

type Ask = (source: string, signal: AbortSignal) => Promise<Checked>;

const PAUSE_MS = 300;

const ask: Ask = (source, signal) => postJson<Checked>("/api/plugins/check", { source }, { signal });

export class Checker {
  #state: CheckState = { status: "checking", problems: [] };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking: AbortController | null = null;
  #source: string | null = null;
  #listeners = new Set<() => void>();

  constructor(
    private readonly askServer: Ask = ask,
    private readonly pauseMs = PAUSE_MS,
  ) {}

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  current = (): CheckState => this.#state;

  /** The source is this now. `immediately` for one that nobody is typing. */
  update(source: string, immediately = false): void {
    if (source === this.#source) return;
    this.#source = source;
    this.#stop();
    if (this.#state.status !== "checking") this.#set({ status: "checking", problems: this.#state.problems });
    this.#timer = setTimeout(() => void this.#check(source), immediately ? 0 : this.pauseMs);
  }

  /** Ask once more, for a source that could not be checked. */
  again(): void {
    const source = this.#source;
    if (source === null || this.#state.status !== "unknown") return;
    this.#source = null;
    this.update(source, true);
  }

  stop(): void {
    this.#stop();
    this.#source = null;
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    this.#asking = null;
  }

  async #check(source: string): Promise<void> {
    const asking = new AbortController();
    this.#asking = asking;
    try {
      const { problems } = await this.askServer(source, asking.signal);
      if (this.#asking === asking) this.#set({ status: "checked", problems });
    } catch (error) {
      if (this.#asking === asking) this.#set({ status: "unknown", problems: this.#state.problems, why: asApiError(error).message });
    }
  }

  #set(state: CheckState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}
