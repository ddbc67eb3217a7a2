import { History, RotateCcw, Trash2 } from "lucide-react";
import { useSyncExternalStore } from "react";
import { Link } from "react-router";
import { inWords } from "../api/errors";
import { Button, IconButton } from "../ui/Button";
import { ago, bytes, duration } from "../ui/format";
import { Empty } from "../ui/states";
import { current, forget, forgetAll, type PastRun, subscribe } from "./history";
import { toFragment } from "./input";

/** One's own runs, to look at and to repeat. */
export function HistoryList({ plugin }: { plugin?: string }) {
  const all = useSyncExternalStore(subscribe, current);
  const runs = plugin ? all.filter((run) => run.plugin === plugin) : all;
  if (plugin && runs.length === 0) return null;
  return (
    <section className="history" aria-label="Your runs">
      <div className="row">
        <h2>Your runs{plugin ? ` of ${plugin}` : ""}</h2>
        <span className="spacer" />
        {!plugin && runs.length > 0 && (
          <Button small kind="quiet" onClick={forgetAll}>
            Forget all
          </Button>
        )}
      </div>
      {runs.length === 0 ? (
        <Empty title="No runs yet" icon={<History size={28} />}>
          <p>Runs are kept in this browser only, so that you can repeat them.</p>
        </Empty>
      ) : (
        <ul className="history-list card">
          {runs.map((run) => (
            <Row key={run.id} run={run} named={!plugin} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Row({ run, named }: { run: PastRun; named: boolean }) {
  const input = (run.text ?? run.fileName ?? `${bytes(run.inputBytes)} of input, not kept`) || "No input";
  const outcome = run.success ? "Done" : run.kind === "cancelled" ? "Cancelled" : "Failed";
  const again = `/run/${encodeURIComponent(run.plugin)}${toFragment({ as: run.as, text: "", file: null }, null)}`;
  return (
    <li className="history-row">
      <span className={`badge ${run.success ? "badge-good" : "badge-problem"}`} title={run.success ? undefined : inWords(run.kind).title}>
        {outcome}
      </span>
      {named && <span className="history-name">{run.plugin}</span>}
      <span className="history-input muted">{input.slice(0, 200)}</span>
      <span className="history-when muted small">
        {duration(run.totalMs)} · {ago(run.at)}
      </span>
      <Link
        className="button button-quiet button-icon button-small"
        to={again}
        state={{ again: run.id }}
        aria-label={`Repeat this run of ${run.plugin}`}
        title="Repeat"
      >
        <RotateCcw size={15} aria-hidden />
      </Link>
      <IconButton small label={`Forget this run of ${run.plugin}`} onClick={() => forget(run.id)}>
        <Trash2 size={15} aria-hidden />
      </IconButton>
    </li>
  );
}
