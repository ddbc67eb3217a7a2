import { useQuery } from "@tanstack/react-query";
import { BrainCircuit, TriangleAlert } from "lucide-react";
import { useState } from "react";
import { modelsQuery } from "../api/queries";
import type { ModelServer } from "../api/types";
import { plural } from "../ui/format";
import { Page } from "../ui/Page";
import { Empty, Failure, Loading } from "../ui/states";
import { ModelCard } from "./ModelCard";
import { Playground } from "./Playground";
import { UsageView } from "./UsageView";
import "./models.css";

const REFRESH_MS = 10_000;

export default function ModelsPage() {
  const { data, error, refetch } = useQuery({ ...modelsQuery, refetchInterval: REFRESH_MS });
  const [asked, setAsked] = useState<string | null>(null);
  const models = [...(data?.models ?? [])].sort((a, b) => Number(b.available) - Number(a.available));
  return (
    <Page title="Models" about="What plugins may ask, by name. Several names may be answered by one model.">
      {error && !data ? (
        <Failure error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Loading what="models" height={560} />
      ) : (
        <div className="stack models">
          {!data.connected && (
            <div className="note note-warn" role="alert">
              <TriangleAlert size={18} aria-hidden />
              <div className="note-body">
                <p className="note-title">No model server is connected</p>
                {data.error && <p className="note-detail">{data.error}</p>}
                <p className="muted">Plugins that ask no model run as ever. This page notices when it is back.</p>
              </div>
            </div>
          )}
          {models.length === 0 ? (
            <Empty title="No model is approved" icon={<BrainCircuit size={30} />}>
              <p>The operator decides which models plugins may ask.</p>
            </Empty>
          ) : (
            <ul className="model-grid" aria-label="Models">
              {models.map((model) => (
                <ModelCard key={model.name} model={model} onAsk={() => setAsked(model.name)} />
              ))}
            </ul>
          )}
          <Servers servers={data.servers} />
          <Playground models={models} asked={asked} />
          <UsageView />
        </div>
      )}
    </Page>
  );
}

function Servers({ servers }: { servers: readonly ModelServer[] }) {
  if (servers.length === 0) return null;
  return (
    <ul className="servers muted small" aria-label="Model servers">
      {servers.map((server) => (
        <li key={server.url} className="row">
          <span className={`badge ${server.connected ? "badge-good" : "badge-problem"}`}>
            {server.connected ? "Connected" : "Away"}
          </span>
          <span className="mono">{server.url}</span>
          <span>
            {server.connected
              ? `${plural(server.running, "request")} running, ${server.waiting} waiting`
              : (server.error ?? "does not answer")}
          </span>
        </li>
      ))}
    </ul>
  );
}
