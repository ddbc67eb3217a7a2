import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { Play } from "lucide-react";
import { memo, useLayoutEffect, useRef, useState } from "react";
import { Link } from "react-router";
import type { PluginSummary } from "../api/types";
import { ago, plural } from "../ui/format";
import { plainText } from "./search";

const CARD_HEIGHT = 156;
const GAP = 14;
const NARROWEST_CARD = 300;
const INPUTS = { text: "Takes text", json: "Takes JSON", file: "Takes a file" };

/** Cards of any number of plugins, of which only those near the window exist. */
export function PluginGrid({ plugins }: { plugins: readonly PluginSummary[] }) {
  const list = useRef<HTMLUListElement>(null);
  const [{ width, top }, setPlace] = useState({ width: 0, top: 0 });
  useLayoutEffect(() => {
    const element = list.current;
    if (!element) return;
    const measure = () =>
      setPlace({ width: element.clientWidth, top: element.getBoundingClientRect().top + window.scrollY });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const columns = Math.max(1, Math.floor((width + GAP) / (NARROWEST_CARD + GAP)));
  const rows = Math.ceil(plugins.length / columns);
  const virtual = useWindowVirtualizer({
    count: rows,
    estimateSize: () => CARD_HEIGHT + GAP,
    overscan: 4,
    scrollMargin: top,
  });
  const cardWidth = (width - GAP * (columns - 1)) / columns;
  return (
    <ul ref={list} className="plugin-grid" style={{ height: rows * (CARD_HEIGHT + GAP) }}>
      {width > 0 &&
        virtual.getVirtualItems().flatMap((row) =>
          plugins.slice(row.index * columns, (row.index + 1) * columns).map((plugin, column) => (
            <li
              key={plugin.name}
              className="card plugin-card"
              aria-setsize={plugins.length}
              aria-posinset={row.index * columns + column + 1}
              style={{
                height: CARD_HEIGHT,
                width: cardWidth,
                transform: `translate(${column * (cardWidth + GAP)}px, ${row.start - virtual.options.scrollMargin}px)`,
              }}
            >
              <Card plugin={plugin} />
            </li>
          )),
        )}
    </ul>
  );
}

const Card = memo(function Card({ plugin }: { plugin: PluginSummary }) {
  const path = encodeURIComponent(plugin.name);
  return (
    <>
      <div className="plugin-card-head">
        <h2 className="plugin-card-name">
          <Link to={`/plugins/${path}`}>{plugin.name}</Link>
        </h2>
        <span className="muted small plugin-card-when">{ago(plugin.updated_at)}</span>
      </div>
      <p className="plugin-card-about muted">{plainText(plugin.description) || plugin.input_hint || "No description"}</p>
      <div className="plugin-card-foot">
        <span className="badge">{INPUTS[plugin.input_type]}</span>
        {plugin.model_calls > 0 && (
          <span className="badge badge-accent">{plural(plugin.model_calls, "model call")}</span>
        )}
        <span className="spacer" />
        <Link className="button button-plain button-small" to={`/run/${path}`} aria-label={`Run ${plugin.name}`}>
          <Play size={13} aria-hidden /> Run
        </Link>
      </div>
    </>
  );
});
