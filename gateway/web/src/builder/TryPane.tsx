import { Play, Square } from "lucide-react";
import { useSyncExternalStore } from "react";
import { InputEditor } from "../runner/InputEditor";
import type { RunInput } from "../runner/input";
import { RunOutput } from "../runner/RunOutput";
import type { RunSession } from "../runner/session";
import { Button } from "../ui/Button";
import { MOD } from "../ui/keys";

/** What the draft is tried with. */
export function TryInput({
  session,
  input,
  onInput,
  hint,
  limitBytes,
  tried,
  onTry,
}: {
  session: RunSession;
  input: RunInput;
  onInput: (input: RunInput) => void;
  hint: string;
  limitBytes: number;
  tried: boolean;
  /** Null for what can't be tried. */
  onTry: (() => void) | null;
}) {
  return (
    <section className="try-input card card-body" aria-label="Input">
      <InputEditor input={input} onChange={onInput} hint={hint} limitBytes={limitBytes} tried={tried} />
      <div className="row">
        {onTry ? <TryButton session={session} onTry={onTry} /> : <p className="muted">Only what is one file can be tried as a draft.</p>}
      </div>
    </section>
  );
}

export function TryButton({ session, onTry, small }: { session: RunSession; onTry: () => void; small?: boolean }) {
  const running = useSyncExternalStore(session.subscribe, () => session.current().status === "running");
  const look = small ? { small: true } : {};
  return running ? (
    <Button {...look} onClick={session.cancel}>
      <Square size={14} aria-hidden /> Cancel
    </Button>
  ) : (
    <Button kind="primary" {...look} onClick={onTry} title="Run this draft in the sandbox, without deploying it">
      <Play size={15} aria-hidden /> Try <kbd>{MOD} ⏎</kbd>
    </Button>
  );
}

/** Output, log and phases of the last try. Alone in following the stream, so that the rest is not drawn again with it. */
export function TryOutput({ session, name, onTry, onLine }: { session: RunSession; name: string; onTry: () => void; onLine: (line: number) => void }) {
  const state = useSyncExternalStore(session.subscribe, session.current);
  return (
    <RunOutput
      session={session}
      state={state}
      name={name}
      idle={
        <p>
          <strong>Try</strong> runs the draft in the sandbox without deploying it. What it sends appears here as it comes.
        </p>
      }
      onRetry={onTry}
      onLine={onLine}
    />
  );
}
