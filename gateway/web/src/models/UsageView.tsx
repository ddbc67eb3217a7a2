import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { usageQuery } from "../api/queries";
import type { Budget, Usage, UsageCounts } from "../api/types";
import { ago, count, duration, plural } from "../ui/format";
import { Failure, Loading } from "../ui/states";

const REFRESH_MS = 5_000;
const WHAT: Record<string, string> = {
  calls: "calls",
  prompt_characters: "characters of prompts",
  prompt_tokens: "prompt tokens",
  output_tokens: "output tokens",
};
const BY = { models: "Model", plugins: "Plugin", callers: "Caller" } as const;

/** What models have done, and what is left of the budgets. */
export function UsageView() {
  const { data, error, refetch } = useQuery({ ...usageQuery, refetchInterval: REFRESH_MS });
  if (error && !data) return <Failure error={error} retry={() => void refetch()} />;
  if (!data) return <Loading what="usage" height={260} />;
  return (
    <>
      <section className="stack" aria-label="Budgets">
        <h2>Budgets</h2>
        {data.budgets.length === 0 ? (
          <p className="muted">No budget limits what plugins may ask, or none of it is used yet.</p>
        ) : (
          <ul className="budgets">
            {data.budgets.map((budget) => (
              <BudgetBar key={`${budget.scope} ${budget.key} ${budget.what} ${budget.window}`} budget={budget} />
            ))}
          </ul>
        )}
      </section>
      <UsageTable usage={data} />
    </>
  );
}

function BudgetBar({ budget }: { budget: Budget }) {
  const share = budget.limit > 0 ? Math.min(1, budget.used / budget.limit) : 1;
  const left = Math.max(0, budget.limit - budget.used);
  const whose = budget.scope === "global" ? "Everybody" : `${budget.scope === "plugin" ? "Plugin" : "Caller"} ${budget.key}`;
  const what = WHAT[budget.what] ?? budget.what;
  return (
    <li className="card budget">
      <p className="row">
        <strong>{whose}</strong>
        <span className="muted">
          {what} a {budget.window}
        </span>
      </p>
      <progress max={1} value={share} data-level={share >= 1 ? "out" : share > 0.8 ? "low" : "fine"} aria-label={`${whose}, ${what}: used`} />
      <p className="row small">
        <span>
          {count(budget.used)} of {count(budget.limit)} used
        </span>
        <span className="spacer" />
        <span className="muted">
          {count(left)} left{budget.used > 0 && `, anew in ${duration(budget.resets_in_ms)}`}
        </span>
      </p>
    </li>
  );
}

function UsageTable({ usage }: { usage: Usage }) {
  const [by, setBy] = useState<keyof typeof BY>("models");
  const rows = [...usage[by]].sort((a, b) => b.requests - a.requests);
  return (
    <section className="stack" aria-label="Usage">
      <div className="row">
        <h2>Usage</h2>
        <span className="muted small">
          {usage.brokers === 0 ? "no broker answers" : `since ${ago(usage.since)}, ${plural(usage.brokers, "broker")}`}
        </span>
        <span className="spacer" />
        <div className="segmented" role="radiogroup" aria-label="Usage by">
          {Object.entries(BY).map(([key, name]) => (
            <button key={key} type="button" role="radio" aria-checked={key === by} onClick={() => setBy(key as keyof typeof BY)}>
              {name}
            </button>
          ))}
        </div>
      </div>
      {rows.length === 0 ? (
        <p className="muted">Nothing was asked yet.</p>
      ) : (
        <div className="table-scroll" tabIndex={0} role="region" aria-label="Usage, scrolls">
          <table className="table">
            <thead>
              <tr>
                <th scope="col">{BY[by]}</th>
                <th scope="col" className="number">Requests</th>
                <th scope="col" className="number">Refused</th>
                <th scope="col" className="number">Prompt tokens</th>
                <th scope="col" className="number">Output tokens</th>
                <th scope="col" className="number">Waited</th>
                <th scope="col" className="number">Generated</th>
                <th scope="col" className="number">Now</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <Row key={row.key} row={row} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Row({ row }: { row: UsageCounts }) {
  const refused = Object.values(row.refused).reduce((sum, value) => sum + value, 0);
  const why = Object.entries(row.refused)
    .map(([code, times]) => `${code}: ${times}`)
    .join("\n");
  return (
    <tr>
      <td>{row.key || "(none named)"}</td>
      <td className="number">{count(row.requests)}</td>
      <td className="number" title={why || undefined}>
        {count(refused)}
      </td>
      <td className="number">{count(row.prompt_tokens)}</td>
      <td className="number">{count(row.output_tokens)}</td>
      <td className="number">{duration(row.queue_us / 1_000)}</td>
      <td className="number">{duration(row.generation_us / 1_000)}</td>
      <td className="number">{row.running + row.waiting ? `${row.running} running, ${row.waiting} waiting` : "idle"}</td>
    </tr>
  );
}
