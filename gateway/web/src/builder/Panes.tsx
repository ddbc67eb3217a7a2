import { type ReactNode, useId, useState, useSyncExternalStore } from "react";

export type Pane = "source" | "input" | "output" | "reference";

const WIDE = "(min-width: 900px)";
const NAMES: Record<Pane, string> = { source: "Source", input: "Input", output: "Output", reference: "Reference" };

function useWide(): boolean {
  return useSyncExternalStore(
    (listener) => {
      const query = matchMedia(WIDE);
      query.addEventListener("change", listener);
      return () => query.removeEventListener("change", listener);
    },
    () => matchMedia(WIDE).matches,
  );
}

/** The parts of the Builder: beside each other where there is room, as tabs where there is not. None is ever taken apart:
 * what is typed, scrolled or streamed stays. The reference is made when it is first asked for. */
export function Panes({ pane, onPane, ...parts }: { pane: Pane; onPane: (pane: Pane) => void } & Record<Pane, ReactNode>) {
  const wide = useWide();
  const id = useId();
  const tabs: [Pane, string][] = wide
    ? [
        ["output", "Try"],
        ["reference", "Reference"],
      ]
    : (["source", "input", "output", "reference"] as const).map((one) => [one, NAMES[one]]);
  const chosen: Pane = wide ? (pane === "reference" ? "reference" : "output") : pane;
  const visible = (one: Pane) => (wide ? one === "source" || (chosen === "reference" ? one === "reference" : one !== "reference") : one === pane);
  const move = (event: React.KeyboardEvent, i: number) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = (i + step + tabs.length) % tabs.length;
    onPane((tabs[next] as [Pane, string])[0]);
    (event.currentTarget.parentElement?.children[next] as HTMLElement | undefined)?.focus();
  };
  const [opened, setOpened] = useState(false);
  if (pane === "reference" && !opened) setOpened(true);
  const list = (
    <div className="tabs builder-tabs" role="tablist" aria-label="Parts of the Builder">
      {tabs.map(([one, label], i) => (
        <button
          key={one}
          type="button"
          role="tab"
          className="tab"
          id={`${id}-tab-${one}`}
          aria-selected={one === chosen}
          aria-controls={`${id}-${one}`}
          tabIndex={one === chosen ? 0 : -1}
          onClick={() => onPane(one)}
          onKeyDown={(event) => move(event, i)}
        >
          {label}
        </button>
      ))}
    </div>
  );
  const part = (one: Pane) => (
    <div
      className={`pane pane-${one}`}
      id={`${id}-${one}`}
      hidden={!visible(one)}
      {...(tabs.some(([tab]) => tab === one) ? { role: "tabpanel", "aria-labelledby": `${id}-tab-${one}` } : {})}
    >
      {(one !== "reference" || opened) && parts[one]}
    </div>
  );
  return (
    <div className="builder" data-wide={wide || undefined}>
      {!wide && list}
      {part("source")}
      <div className="builder-side">
        {wide && list}
        {part("input")}
        {part("output")}
        {part("reference")}
      </div>
    </div>
  );
}
