import { duration } from "../ui/format";

interface Phase {
  key: string;
  name: string;
  meaning: string;
  microseconds: number;
}

const PHASES: [key: string, name: string, meaning: string][] = [
  ["queue", "Queue", "waiting for a sandbox"],
  ["prepare", "Prepare", "getting the source"],
  ["restore", "Restore", "a fresh interpreter"],
  ["run", "Run", "the plugin's own work"],
  ["ai", "Models", "waiting for models"],
  ["reply", "Reply", "sending the output"],
];

/** Phases in their order, without those that took no time; waiting for models is taken out of `run`. */
export function phasesOf(us: Record<string, number>): Phase[] {
  const ai = us.ai_wait ?? us.ai ?? 0;
  const values: Record<string, number> = { ...us, ai, run: Math.max(0, (us.run ?? 0) - ai) };
  return PHASES.map(([key, name, meaning]) => ({ key, name, meaning, microseconds: values[key] ?? 0 })).filter(
    (phase) => phase.microseconds > 0,
  );
}

/** Where the time of a run went. */
export function PhasesBar({ phases: us }: { phases: Record<string, number> }) {
  const phases = phasesOf(us);
  const total = phases.reduce((sum, phase) => sum + phase.microseconds, 0);
  if (total === 0) return null;
  return (
    <div className="phases">
      <div className="phases-bar" aria-hidden>
        {phases.map((phase) => (
          <span key={phase.key} data-phase={phase.key} style={{ flexGrow: phase.microseconds / total }} />
        ))}
      </div>
      <ul className="phases-legend" aria-label={`Where the time went: ${duration(total / 1_000)} in all`}>
        {phases.map((phase) => (
          <li key={phase.key} title={phase.meaning}>
            <span className="phases-mark" data-phase={phase.key} aria-hidden />
            {phase.name} <span className="phases-time">{duration(phase.microseconds / 1_000)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
