import { useQuery } from "@tanstack/react-query";
import { Boxes, Plus, SearchX } from "lucide-react";
import { useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { useSearchParams } from "react-router";
import { pluginsQuery } from "../api/queries";
import type { InputType, PluginSummary } from "../api/types";
import { Button, LinkButton } from "../ui/Button";
import { count, plural } from "../ui/format";
import { useShortcut } from "../ui/keys";
import { Page } from "../ui/Page";
import { Empty, Failure, Loading } from "../ui/states";
import { PluginGrid } from "./PluginGrid";
import { search } from "./search";
import "./marketplace.css";

const SORTS = { newest: "Recently changed", name: "Name", calls: "Model calls" } as const;
type Sort = keyof typeof SORTS;
const TYPES: Record<InputType | "", string> = { "": "Any input", text: "Text", json: "JSON", file: "File" };

export default function Marketplace() {
  const { data, error, refetch } = useQuery(pluginsQuery);
  const [filter, setFilter] = useFilter();
  const words = useDeferredValue(filter.words);
  const shown = useMemo(() => select(data ?? [], words, filter.type, filter.sort), [data, words, filter.type, filter.sort]);
  const field = useRef<HTMLInputElement>(null);
  useShortcut("/", () => field.current?.focus());
  const filtered = Boolean(words || filter.type);

  return (
    <Page
      title="Plugins"
      about="Small Python functions, each call in a sandbox of its own. Run one, read its source, or write your own."
      actions={
        <LinkButton to="/builder" kind="primary">
          <Plus size={16} aria-hidden /> New plugin
        </LinkButton>
      }
    >
      <div className="market-bar">
        <input
          ref={field}
          className="input"
          type="search"
          value={filter.words}
          onChange={(event) => setFilter({ ...filter, words: event.target.value })}
          placeholder="Search names and descriptions"
          aria-label="Search plugins"
          aria-keyshortcuts="/"
        />
        <select
          className="select"
          aria-label="Input type"
          value={filter.type}
          onChange={(event) => setFilter({ ...filter, type: event.target.value as InputType | "" })}
        >
          {Object.entries(TYPES).map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
        <select
          className="select"
          aria-label="Sort by"
          value={filter.sort}
          onChange={(event) => setFilter({ ...filter, sort: event.target.value as Sort })}
        >
          {Object.entries(SORTS).map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
      </div>
      <p className="market-count muted small" role="status">
        {data && (filtered ? `${count(shown.length)} of ${plural(data.length, "plugin")}` : plural(data.length, "plugin"))}
      </p>
      {!data ? (
        error ? (
          <Failure error={error} retry={() => void refetch()} />
        ) : (
          <Loading what="plugins" height={480} />
        )
      ) : data.length === 0 ? (
        <Empty title="There are no plugins yet" icon={<Boxes size={32} />}>
          <p>Write the first one in the Builder; it takes a minute.</p>
          <p className="row" style={{ justifyContent: "center", marginTop: 12 }}>
            <LinkButton to="/builder" kind="primary">
              Open the Builder
            </LinkButton>
          </p>
        </Empty>
      ) : shown.length === 0 ? (
        <Empty title="Nothing matches" icon={<SearchX size={32} />}>
          <p>No plugin has all of these words{filter.type ? " and this kind of input" : ""}.</p>
          <p className="row" style={{ justifyContent: "center", marginTop: 12 }}>
            <Button onClick={() => setFilter({ ...filter, words: "", type: "" })}>Show all plugins</Button>
          </p>
        </Empty>
      ) : (
        <PluginGrid plugins={shown} />
      )}
    </Page>
  );
}

interface Filter {
  words: string;
  type: InputType | "";
  sort: Sort;
}

/** Search, filter and order, which the address carries too, so that the back button and links keep them. */
function useFilter(): [Filter, (filter: Filter) => void] {
  const [params, setParams] = useSearchParams();
  const [filter, set] = useState<Filter>(() => read(params));
  const written = useRef(params.toString());
  useEffect(() => {
    // Changed from outside: back, forward, a link.
    if (params.toString() !== written.current) {
      written.current = params.toString();
      set(read(params));
    }
  }, [params]);
  useEffect(() => {
    const timer = setTimeout(() => {
      const next = new URLSearchParams();
      if (filter.words) next.set("q", filter.words);
      if (filter.type) next.set("input", filter.type);
      if (filter.sort !== "newest") next.set("sort", filter.sort);
      if (next.toString() === written.current) return;
      written.current = next.toString();
      setParams(next, { replace: true, preventScrollReset: true });
    }, 200);
    return () => clearTimeout(timer);
  }, [filter, setParams]);
  return [filter, set];
}

function read(params: URLSearchParams): Filter {
  const type = params.get("input") ?? "";
  const sort = params.get("sort") ?? "";
  return {
    words: params.get("q") ?? "",
    type: type in TYPES ? (type as InputType | "") : "",
    sort: sort in SORTS ? (sort as Sort) : "newest",
  };
}

function select(plugins: readonly PluginSummary[], words: string, type: string, sort: Sort): PluginSummary[] {
  const some = type ? plugins.filter((plugin) => plugin.input_type === type) : plugins;
  const sorted =
    sort === "name"
      ? [...some].sort((a, b) => (a.name < b.name ? -1 : 1))
      : sort === "calls"
        ? [...some].sort((a, b) => b.model_calls - a.model_calls)
        : some;
  return search(sorted, words);
}
