/** Whether the gateway answers. Every request reports here; while it is away we ask again, ever less often. */
export interface Connection {
  reachable: boolean;
  /** When the next try is made, as `Date.now()`; null while one is under way or none is needed. */
  nextTryAt: number | null;
}

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 15_000;

type Listener = () => void;

export class ConnectionWatch {
  #state: Connection = { reachable: true, nextTryAt: null };
  #listeners = new Set<Listener>();
  #waitMs = FIRST_WAIT_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Told when the gateway answers again after it did not. */
  onBack: Listener = () => {};

  constructor(private readonly ask: () => Promise<boolean>) {}

  subscribe = (listener: Listener): Listener => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  current = (): Connection => this.#state;

  /** A request got an answer, whatever it was. */
  answered(): void {
    if (this.#state.reachable) return;
    clearTimeout(this.#timer);
    this.#waitMs = FIRST_WAIT_MS;
    this.#set({ reachable: true, nextTryAt: null });
    this.onBack();
  }

  /** A request got no answer. */
  failed(): void {
    if (!this.#state.reachable) return;
    this.#schedule();
  }

  tryNow = async (): Promise<void> => {
    clearTimeout(this.#timer);
    this.#set({ reachable: false, nextTryAt: null });
    if (await this.ask()) this.answered();
    else this.#schedule();
  };

  #schedule(): void {
    clearTimeout(this.#timer);
    this.#set({ reachable: false, nextTryAt: Date.now() + this.#waitMs });
    this.#timer = setTimeout(() => void this.tryNow(), this.#waitMs);
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS);
  }

  #set(state: Connection): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}

async function ask(): Promise<boolean> {
  try {
    // 5xx of a proxy in front means the gateway itself is away.
    const response = await fetch("/health", { cache: "no-store", signal: AbortSignal.timeout(5_000) });
    return response.ok;
  } catch {
    return false;
  }
}

export const connection = new ConnectionWatch(ask);
