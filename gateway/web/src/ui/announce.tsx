/** Short messages at the edge of the page, read out by screen readers as well. */
import { useSyncExternalStore } from "react";

interface Message {
  id: number;
  text: string;
  tone: "good" | "problem";
}

const SHOWN_MS = 4_000;
const AT_MOST = 3;

let messages: readonly Message[] = [];
let last = 0;
const listeners = new Set<() => void>();
const current = () => messages;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function set(next: readonly Message[]): void {
  messages = next;
  for (const listener of listeners) listener();
}

export function announce(text: string, tone: Message["tone"] = "good"): void {
  const message = { id: ++last, text, tone };
  set([...messages.filter((other) => other.text !== text), message].slice(-AT_MOST));
  setTimeout(() => set(messages.filter((other) => other.id !== message.id)), tone === "good" ? SHOWN_MS : 2 * SHOWN_MS);
}

/** Where messages appear; once, in the layout. */
export function Announcements() {
  const shown = useSyncExternalStore(subscribe, current, current);
  return (
    <div className="announcements" role="status" aria-live="polite">
      {shown.map((message) => (
        <p key={message.id} className={`announcement announcement-${message.tone}`}>
          {message.text}
        </p>
      ))}
    </div>
  );
}
