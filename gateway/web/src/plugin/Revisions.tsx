import { useMutation, useQuery } from "@tanstack/react-query";
import { History } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { useSearchParams } from "react-router";
import { postJson, segment } from "../api/client";
import { pluginsChanged, revisionsQuery } from "../api/queries";
import type { PluginCode, Revision } from "../api/types";
import { announce } from "../ui/announce";
import { Button } from "../ui/Button";
import { ago, bytes, date, short } from "../ui/format";
import { Modal } from "../ui/Modal";
import { Empty, Failure, Loading } from "../ui/states";

const RevisionDifference = lazy(() => import("./RevisionDifference"));

/** Every revision there was, what changed between two of them, and the way back to one. */
export function Revisions({ plugin }: { plugin: PluginCode }) {
  const { data, error, refetch } = useQuery(revisionsQuery(plugin.name));
  const [params, setParams] = useSearchParams();
  const [back, setBack] = useState<Revision | null>(null);
  if (error && !data) return <Failure error={error} retry={() => void refetch()} />;
  if (!data) return <Loading what="revisions" height={320} />;
  if (data.length === 0) return <Empty title="No revision is known" icon={<History size={28} />} />;

  const known = (digest: string | null) => data.find((one) => one.revision === digest);
  const to = known(params.get("to")) ?? data.find((one) => one.current) ?? data[0];
  const from = known(params.get("from")) ?? data[data.findIndex((one) => one === to) + 1];
  const show = (next: { from?: string; to?: string }) =>
    setParams(
      (before) => {
        const after = new URLSearchParams(before);
        for (const [key, value] of Object.entries(next)) if (value) after.set(key, value);
        return after;
      },
      { preventScrollReset: true },
    );

  return (
    <div className="stack">
      <ol className="card revisions" reversed>
        {data.map((one) => (
          <li key={one.revision} className="revision">
            <span className="revision-number">{one.number}</span>
            <span className="mono" title={one.revision}>
              {short(one.revision)}
            </span>
            {one.current && <span className="badge badge-good">Current</span>}
            <span className="muted small revision-when" title={date(one.created_at)}>
              {ago(one.created_at)}, {bytes(one.source_bytes)}
            </span>
            <span className="spacer" />
            {to && one !== to && (
              <Button small kind="quiet" onClick={() => show({ from: one.revision, to: to.revision })}>
                Compare
              </Button>
            )}
            {!one.current && (
              <Button small onClick={() => setBack(one)}>
                Roll back
              </Button>
            )}
          </li>
        ))}
      </ol>
      {to && from ? (
        <section className="card" aria-label="Difference">
          <div className="code-bar">
            <label className="row">
              <span className="muted small">From</span>
              <Choice all={data} value={from} onChange={(digest) => show({ from: digest })} />
            </label>
            <label className="row">
              <span className="muted small">to</span>
              <Choice all={data} value={to} onChange={(digest) => show({ to: digest })} />
            </label>
          </div>
          <Suspense fallback={<Loading what="difference" height={200} />}>
            <RevisionDifference name={plugin.name} from={from} to={to} />
          </Suspense>
        </section>
      ) : (
        <p className="muted">This is the only revision; the next one you deploy can be compared with it here.</p>
      )}
      {back && <RollBack plugin={plugin} revision={back} onClose={() => setBack(null)} />}
    </div>
  );
}

function Choice({ all, value, onChange }: { all: Revision[]; value: Revision; onChange: (digest: string) => void }) {
  return (
    <select className="select" value={value.revision} onChange={(event) => onChange(event.target.value)}>
      {all.map((one) => (
        <option key={one.revision} value={one.revision}>
          {one.number}: {short(one.revision)}
          {one.current ? " (current)" : ""}
        </option>
      ))}
    </select>
  );
}

function RollBack({ plugin, revision, onClose }: { plugin: PluginCode; revision: Revision; onClose: () => void }) {
  const roll = useMutation({
    mutationFn: () => postJson(`/api/plugins/${segment(plugin.name)}/rollback`, { revision: revision.revision }),
    onSuccess: async () => {
      announce(`${plugin.name} is back at revision ${revision.number}`);
      onClose();
      await pluginsChanged();
    },
  });
  return (
    <Modal
      open
      onOpenChange={onClose}
      title={`Roll ${plugin.name} back to revision ${revision.number}?`}
      about={`Calls run revision ${revision.number} (${short(revision.revision)}, ${ago(revision.created_at)}) from now on. Later revisions stay and can be chosen again.`}
    >
      {roll.error && <Failure error={roll.error} />}
      <div className="modal-actions">
        <Button onClick={onClose}>Leave it</Button>
        <Button kind="primary" busy={roll.isPending} onClick={() => roll.mutate()}>
          Roll back
        </Button>
      </div>
    </Modal>
  );
}
