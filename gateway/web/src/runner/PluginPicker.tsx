import { useQuery } from "@tanstack/react-query";
import { useDeferredValue, useMemo, useState } from "react";
import { Link } from "react-router";
import { pluginsQuery } from "../api/queries";
import { search } from "../marketplace/search";
import { count } from "../ui/format";
import { Empty, Failure, Loading } from "../ui/states";

const SHOWN = 12;

/** A short list that a few letters narrow down. */
export function PluginPicker() {
  const { data, error, refetch } = useQuery(pluginsQuery);
  const [words, setWords] = useState("");
  const deferred = useDeferredValue(words);
  const found = useMemo(() => search(data ?? [], deferred), [data, deferred]);
  if (error && !data) return <Failure error={error} retry={() => void refetch()} />;
  if (!data) return <Loading what="plugins" height={300} />;
  if (data.length === 0) {
    return (
      <Empty title="There are no plugins yet">
        <p>
          <Link to="/builder">Write the first one</Link>; it takes a minute.
        </p>
      </Empty>
    );
  }
  return (
    <div className="picker">
      <input
        className="input"
        type="search"
        value={words}
        onChange={(event) => setWords(event.target.value)}
        placeholder={`Search ${count(data.length)} plugins`}
        aria-label="Search plugins"
      />
      <ul className="picker-list card">
        {found.slice(0, SHOWN).map((plugin) => (
          <li key={plugin.name}>
            <Link to={`/run/${encodeURIComponent(plugin.name)}`}>
              <span className="picker-name">{plugin.name}</span>
              <span className="picker-about muted">{plugin.description}</span>
              <span className="badge">{plugin.input_type}</span>
            </Link>
          </li>
        ))}
      </ul>
      <p className="muted small" role="status">
        {found.length === 0
          ? "No plugin has these words."
          : found.length > SHOWN
            ? `${count(found.length - SHOWN)} more; a few letters narrow it down.`
            : ""}
      </p>
    </div>
  );
}
