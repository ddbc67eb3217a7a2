import { Send, Square } from "lucide-react";
import { useEffect, useId, useRef, useState } from "react";
import { inWords } from "../api/errors";
import { queryClient } from "../api/queries";
import type { ChatDone, ModelDetail } from "../api/types";
import { useRun } from "../runner/useRun";
import { Button } from "../ui/Button";
import { count, duration } from "../ui/format";
import { matches, MOD } from "../ui/keys";

interface Turn {
  role: "user" | "assistant";
  content: string;
  /** Under an answer: who gave it, how much it took. */
  note?: string;
}

/** Ask a model and see its answer as it comes; it remembers the conversation, this page forgets it. */
export function Playground({ models, asked }: { models: readonly ModelDetail[]; asked: string | null }) {
  const id = useId();
  const usable = models.filter((model) => model.available && !isEmbedder(model));
  const [chosen, setChosen] = useState("");
  const [turns, setTurns] = useState<Turn[]>([]);
  const [text, setText] = useState("");
  const { session, state } = useRun();
  const field = useRef<HTMLTextAreaElement>(null);
  const model = usable.some(({ name }) => name === chosen) ? chosen : (usable[0]?.name ?? "");
  const running = state.status === "running";

  useEffect(() => {
    if (!asked) return;
    setChosen(asked);
    field.current?.scrollIntoView({ block: "center" });
    field.current?.focus({ preventScroll: true });
  }, [asked]);

  const send = async () => {
    if (running || !text.trim() || !model) return;
    const next: Turn[] = [...turns, { role: "user", content: text.trim() }];
    setTurns(next);
    setText("");
    const outcome = await session.start("/api/models/chat", {
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ model, messages: next.map(({ role, content }) => ({ role, content })) }),
    });
    const answer = session.current().text;
    if (outcome.success || answer) {
      setTurns([...next, { role: "assistant", content: answer, note: noteOf(outcome.data as Partial<ChatDone>) }]);
    } else {
      // Not answered: the question goes back to where it can be changed and sent again.
      setTurns(turns);
      setText(next.at(-1)?.content ?? "");
    }
    void queryClient.invalidateQueries({ queryKey: ["usage"] });
  };

  const failure = state.status === "done" && state.outcome && !state.outcome.success ? state.outcome : null;
  return (
    <section className="card playground" aria-label="Playground">
      <div className="code-bar">
        <h2>Playground</h2>
        <select className="select" aria-label="Model" value={model} onChange={(event) => setChosen(event.target.value)}>
          {usable.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        <span className="spacer" />
        {turns.length > 0 && (
          <Button
            small
            kind="quiet"
            onClick={() => {
              session.reset();
              setTurns([]);
            }}
          >
            Start anew
          </Button>
        )}
      </div>
      <div className="turns" aria-live="polite" aria-busy={running} tabIndex={0} role="region" aria-label="Conversation">
        {turns.length === 0 && !running && (
          <p className="muted turns-none">{usable.length ? "Ask something; the answer streams here." : "No model is there to be asked."}</p>
        )}
        {turns.map((turn, i) => (
          <TurnView key={i} turn={turn} />
        ))}
        {running && (
          <div className="turn turn-assistant">
            {state.text || (
              <>
                <span className="spinner" aria-hidden /> <span className="hidden-visually">Thinking</span>
              </>
            )}
          </div>
        )}
        {failure && (
          <div className="note note-problem" role="alert">
            <div className="note-body">
              <p className="note-title">{inWords(failure.kind, failure.code).title}</p>
              {failure.kind !== "cancelled" && <p className="note-detail">{failure.error}</p>}
              <p className="muted">{inWords(failure.kind, failure.code).advice}</p>
            </div>
          </div>
        )}
      </div>
      <div className="playground-ask">
        <label htmlFor={id} className="hidden-visually">
          Your message
        </label>
        <textarea
          id={id}
          ref={field}
          className="textarea"
          rows={2}
          value={text}
          placeholder={`Message to ${model || "a model"}`}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => {
            if (!matches(event, "mod+enter")) return;
            event.preventDefault();
            void send();
          }}
        />
        {running ? (
          <Button onClick={session.cancel}>
            <Square size={14} aria-hidden /> Cancel
          </Button>
        ) : (
          <Button kind="primary" disabled={!model} onClick={() => void send()}>
            <Send size={15} aria-hidden /> Send <kbd aria-hidden>{MOD} ⏎</kbd>
          </Button>
        )}
      </div>
    </section>
  );
}

function TurnView({ turn }: { turn: Turn }) {
  return (
    <div className={`turn turn-${turn.role}`}>
      <span className="hidden-visually">{turn.role === "user" ? "You: " : "Model: "}</span>
      {turn.content}
      {turn.note && <p className="turn-note muted small">{turn.note}</p>}
    </div>
  );
}

function noteOf(done: Partial<ChatDone>): string {
  return [
    done.answered_by,
    done.output_tokens && `${count(done.output_tokens)} tokens`,
    done.duration_us && duration(done.duration_us / 1_000),
    done.output_tokens && done.duration_us && `${(done.output_tokens / (done.duration_us / 1e6)).toFixed(0)} tokens a second`,
  ]
    .filter(Boolean)
    .join(" · ");
}

const isEmbedder = (model: ModelDetail) =>
  model.capabilities.length > 0 && model.capabilities.every((capability) => /^embed/.test(capability));
