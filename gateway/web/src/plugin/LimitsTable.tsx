import type { PluginCode } from "../api/types";
import { bytes, count, duration } from "../ui/format";

const ROWS: [key: keyof PluginCode["limits"], name: string, unit: (value: number) => string][] = [
  ["timeout_ms", "Time, waiting for models included", duration],
  ["cpu_ms", "CPU time", duration],
  ["memory_bytes", "Memory", bytes],
  ["ai_calls", "Model calls", count],
  ["input_bytes", "Input", bytes],
  ["output_bytes", "Output", bytes],
  ["log_bytes", "Log", bytes],
];

export function LimitsTable({ limits }: { limits: PluginCode["limits"] }) {
  return (
    <dl className="limits">
      {ROWS.map(([key, name, unit]) => {
        const value = limits[key];
        return value === undefined ? null : (
          <div key={key}>
            <dt className="muted">{name}</dt>
            <dd>{unit(value)}</dd>
          </div>
        );
      })}
    </dl>
  );
}
