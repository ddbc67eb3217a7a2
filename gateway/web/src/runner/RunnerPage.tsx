import { useQuery } from "@tanstack/react-query";
import { ArrowLeftRight } from "lucide-react";
import { useMemo } from "react";
import { Link, useLocation, useParams } from "react-router";
import { pluginQuery } from "../api/queries";
import { LinkButton } from "../ui/Button";
import { Page } from "../ui/Page";
import { Failure, Loading } from "../ui/states";
import { HistoryList } from "./HistoryList";
import { current } from "./history";
import { fromFragment } from "./input";
import { PluginPicker } from "./PluginPicker";
import { type Prefill, Runner } from "./Runner";

export default function RunnerPage() {
  const { name } = useParams();
  if (!name) {
    return (
      <Page title="Run" about="Choose a plugin, give it something to work on.">
        <PluginPicker />
        <HistoryList />
      </Page>
    );
  }
  return <RunOne key={name} name={name} />;
}

function RunOne({ name }: { name: string }) {
  const { data, error, refetch } = useQuery(pluginQuery(name));
  const prefill = usePrefill();
  return (
    <Page
      wide
      title={`Run ${name}`}
      heading={
        <>
          Run <Link to={`/plugins/${encodeURIComponent(name)}`}>{name}</Link>
        </>
      }
      actions={
        <LinkButton to="/run" small>
          <ArrowLeftRight size={15} aria-hidden /> Another plugin
        </LinkButton>
      }
    >
      {data ? (
        <Runner plugin={data} prefill={prefill} />
      ) : error ? (
        <Failure error={error} retry={() => void refetch()} />
      ) : (
        <Loading what={name} height={520} />
      )}
      <HistoryList plugin={name} />
    </Page>
  );
}

/** What the address asks for: a run of the history, or the one a link carries. */
function usePrefill(): Prefill | null {
  const { hash, state, key } = useLocation();
  const again = (state as { again?: string } | null)?.again;
  return useMemo(() => {
    const past = again ? current().find((run) => run.id === again) : undefined;
    if (past) return { key, input: { as: past.as, text: past.text ?? "", file: null }, revision: null };
    const linked = fromFragment(hash);
    return linked && { key, ...linked };
  }, [again, hash, key]);
}
