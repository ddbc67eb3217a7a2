import { ArrowDownToLine, Download, WrapText } from "lucide-react";
import { lazy, type ReactNode, Suspense, useEffect, useMemo, useRef, useState } from "react";
import { bytes, duration, plural } from "../ui/format";
import { CopyButton } from "../ui/CopyButton";
import { IconButton } from "../ui/Button";
import { HexView } from "./HexView";
import { ImageView } from "./ImageView";
import { JsonTree } from "./JsonTree";
import { kindOf, type View } from "./kinds";
import { LongText } from "./LongText";
import { OutcomeNote } from "./OutcomeNote";
import { PhasesBar } from "./PhasesBar";
import type { RunSession, RunState } from "./session";
import { TableView } from "./TableView";
import "./output.css";

const Markdown = lazy(() => import("../ui/Markdown"));

const NAMES: Record<View, string> = {
  text: "Text",
  json: "JSON",
  markdown: "Formatted",
  table: "Table",
  image: "Image",
  binary: "Bytes",
};

/** Everything there is to see of a run: how it stands, output, log, phases, and the error in words. */
export function RunOutput({
  session,
  state,
  name,
  idle,
  onRetry,
  onLine,
}: {
  session: RunSession;
  state: RunState;
  /** Names downloads. */
  name: string;
  /** Shown before the first run. */
  idle?: ReactNode;
  onRetry?: () => void;
  /** Makes the lines of a traceback links. */
  onLine?: (line: number) => void;
}) {
  const done = state.status === "done";
  // Pieces of JSON are not JSON, and a view that changes with each piece would jump.
  const kind = useMemo(
    () => (done && state.outputBytes > 0 ? kindOf(state.text, session.head(), state.binary) : null),
    [done, state.text, state.binary, state.outputBytes, session],
  );
  const [chosen, setChosen] = useState<{ run: number; view: View } | null>(null);
  const [wrap, setWrap] = useState(true);
  const views = kind?.views ?? [];
  const view = (chosen?.run === state.run && views.includes(chosen.view) ? chosen.view : views[0]) ?? "text";
  const scroller = useFollow(state);
  const lines = useMemo(() => state.log.split("\n").filter(Boolean).length, [state.log]);

  return (
    <section className="run-output card" aria-label="Output" aria-busy={state.status === "running"}>
      <div className="run-output-bar">
        <Summary state={state} />
        <span className="spacer" />
        {views.length > 1 && (
          <div className="segmented" role="radiogroup" aria-label="Show output as">
            {views.map((one) => (
              <button
                key={one}
                type="button"
                role="radio"
                aria-checked={one === view}
                onClick={() => setChosen({ run: state.run, view: one })}
              >
                {NAMES[one]}
              </button>
            ))}
          </div>
        )}
        {state.outputBytes > 0 && (
          <>
            {view === "text" && (
              <IconButton label={wrap ? "Don't wrap lines" : "Wrap lines"} small aria-pressed={wrap} onClick={() => setWrap(!wrap)}>
                <WrapText size={15} aria-hidden />
              </IconButton>
            )}
            {!state.binary && <CopyButton text={() => state.text} label="Copy output" />}
            {done && (
              <IconButton label="Download output" small onClick={() => download(session.bytes(), `${name}.${kind?.extension ?? "txt"}`)}>
                <Download size={15} aria-hidden />
              </IconButton>
            )}
          </>
        )}
      </div>
      <div className="run-output-body" ref={scroller} tabIndex={0} role="region" aria-label="Output, scrolls">
        {state.status === "idle" && <div className="run-output-idle muted">{idle}</div>}
        {done && state.outcome && !state.outcome.success && (
          <OutcomeNote outcome={state.outcome} {...(onRetry ? { onRetry } : {})} {...(onLine ? { onLine } : {})} />
        )}
        {done && state.outcome?.success && state.outputBytes === 0 && <p className="muted">It ran well and sent no output.</p>}
        {state.outputBytes > 0 && (
          <div className="run-output-content">
            {view === "image" && kind ? (
              <ImageView session={session} text={state.text} kind={kind} />
            ) : view === "json" && kind ? (
              <JsonTree key={state.run} value={kind.json} />
            ) : view === "table" && kind?.table ? (
              <TableView key={state.run} rows={kind.table} />
            ) : view === "markdown" ? (
              <Suspense fallback={<LongText text={state.text} className="wrap" />}>
                <Markdown text={state.text} />
              </Suspense>
            ) : view === "binary" ? (
              <HexView session={session} size={state.outputBytes} />
            ) : (
              <LongText key={state.run} text={state.text} className={wrap ? "wrap" : ""} />
            )}
          </div>
        )}
      </div>
      {state.log && (
        <details className="run-log" open={(done && !state.outputBytes) || undefined}>
          <summary>Log ({plural(lines, "line")})</summary>
          <LongText key={state.run} text={state.log} className="wrap" />
        </details>
      )}
      {done && state.outcome && <PhasesBar phases={state.outcome.phases} />}
    </section>
  );
}

function Summary({ state }: { state: RunState }) {
  if (state.status === "idle") return <h2 className="run-title">Output</h2>;
  if (state.status === "running") {
    return (
      <p className="run-title" role="status">
        {/* Once the count moves nothing needs to turn; each frame that it turns is one that a key press may wait for. */}
        {state.outputBytes ? <ArrowDownToLine size={14} aria-hidden /> : <span className="spinner" aria-hidden />}{" "}
        {state.outputBytes ? `Receiving, ${bytes(state.outputBytes)}` : "Running…"}
      </p>
    );
  }
  const good = state.outcome?.success;
  return (
    <p className="run-title" role="status">
      <span className={`badge ${good ? "badge-good" : "badge-problem"}`}>
        {good ? "Done" : state.outcome?.kind === "cancelled" ? "Cancelled" : "Failed"}
      </span>
      <span className="muted small">
        {duration(state.totalMs ?? 0)}
        {state.outputBytes > 0 && <span className="run-size"> · {bytes(state.outputBytes)}</span>}
      </span>
    </p>
  );
}

/** Keeps the end in view while output comes, unless the reader has scrolled away from it. */
function useFollow(state: RunState) {
  const element = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  useEffect(() => {
    following.current = true;
    const scroller = element.current;
    if (!scroller) return;
    const onScroll = () => {
      following.current = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 40;
    };
    scroller.addEventListener("scroll", onScroll, { passive: true });
    return () => scroller.removeEventListener("scroll", onScroll);
  }, [state.run]);
  useEffect(() => {
    const scroller = element.current;
    if (!scroller || !following.current) return;
    if (state.status === "running" && state.outputBytes) scroller.scrollTop = scroller.scrollHeight;
    if (state.status === "done") scroller.scrollTop = 0;
  }, [state.status, state.outputBytes]);
  return element;
}

/** Always as an attachment: what a plugin sent is never opened as a page. */
export function download(blob: Blob, name: string): void {
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
