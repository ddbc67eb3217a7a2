import { useQuery } from "@tanstack/react-query";
import { Hammer, Trash2 } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { NavLink, useParams } from "react-router";
import { NotFound } from "../app/NotFound";
import { pluginQuery } from "../api/queries";
import type { PluginCode } from "../api/types";
import { Runner } from "../runner/Runner";
import { HistoryList } from "../runner/HistoryList";
import { Button, LinkButton } from "../ui/Button";
import { ago, plural, short } from "../ui/format";
import { Page } from "../ui/Page";
import { Failure, Loading } from "../ui/states";
import { DeleteDialog } from "./DeleteDialog";
import { HowToCall } from "./HowToCall";
import { Revisions } from "./Revisions";
import { Source } from "./Source";
import "./plugin.css";

const Markdown = lazy(() => import("../ui/Markdown"));

const TABS = { run: "Run", source: "Source", revisions: "Revisions", call: "Call it" } as const;
const INPUTS = { text: "Takes text", json: "Takes JSON", file: "Takes a file" };

export default function PluginPage() {
  const { name = "", tab = "run" } = useParams();
  return tab in TABS ? <PluginView key={name} name={name} tab={tab as keyof typeof TABS} /> : <NotFound />;
}

function PluginView({ name, tab }: { name: string; tab: keyof typeof TABS }) {
  const { data, error, refetch } = useQuery(pluginQuery(name));
  const [deleting, setDeleting] = useState(false);
  const path = `/plugins/${encodeURIComponent(name)}`;
  return (
    <Page
      title={name}
      wide
      about={data && <Facts plugin={data} />}
      actions={
        data && (
          <>
            <LinkButton to={`/builder/${encodeURIComponent(name)}`}>
              <Hammer size={15} aria-hidden /> Edit
            </LinkButton>
            <Button onClick={() => setDeleting(true)}>
              <Trash2 size={15} aria-hidden /> Delete
            </Button>
          </>
        )
      }
    >
      {error && !data ? (
        <Failure error={error} retry={() => void refetch()}>
          <LinkButton to="/plugins" small>
            All plugins
          </LinkButton>
        </Failure>
      ) : !data ? (
        <Loading what={name} height={560} />
      ) : (
        <div className="stack">
          {data.description && (
            <div className="plugin-about">
              <Suspense fallback={<p>{data.description}</p>}>
                <Markdown text={data.description} />
              </Suspense>
            </div>
          )}
          <nav className="tabs" aria-label={name}>
            {Object.entries(TABS).map(([key, title]) => (
              <NavLink key={key} className="tab" end to={key === "run" ? path : `${path}/${key}`} preventScrollReset>
                {title}
              </NavLink>
            ))}
          </nav>
          {/* Hidden, not gone: what was typed and what runs outlives a look at the source. */}
          <div hidden={tab !== "run"}>
            <Runner plugin={data} />
            <HistoryList plugin={name} />
          </div>
          {tab === "source" && <Source plugin={data} />}
          {tab === "revisions" && <Revisions plugin={data} />}
          {tab === "call" && <HowToCall plugin={data} />}
        </div>
      )}
      {data && <DeleteDialog name={name} open={deleting} onOpenChange={setDeleting} />}
    </Page>
  );
}

function Facts({ plugin }: { plugin: PluginCode }) {
  const { number, updated_at: updatedAt, model_calls: calls } = plugin;
  return (
    <span className="row small">
      <span className="badge">{INPUTS[plugin.input_type]}</span>
      <span className="badge">{calls ? `Asks models in ${plural(calls, "place")}` : "Asks no model"}</span>
      <span className="mono" title={plugin.revision}>
        {number ? `revision ${number}, ` : ""}
        {short(plugin.revision)}
      </span>
      {updatedAt && <span>{ago(updatedAt)}</span>}
    </span>
  );
}
