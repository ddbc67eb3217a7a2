/** Limits of an execution as people enter them: seconds and MiB rather than milliseconds and bytes. */
import type { Limits } from "../api/types";

export interface LimitField {
  key: keyof Limits;
  label: string;
  unit: string;
  /** How many of the API's units one of this field's is. */
  scale: number;
  about: string;
}

const MIB = 1024 * 1024;

export const LIMIT_FIELDS: readonly LimitField[] = [
  { key: "timeout_ms", label: "Time", unit: "s", scale: 1_000, about: "From start to end, waiting for models included." },
  { key: "cpu_ms", label: "Computing time", unit: "s", scale: 1_000, about: "Waiting for models does not count." },
  { key: "memory_bytes", label: "Memory", unit: "MiB", scale: MIB, about: "The interpreter itself needs about half of 64 MiB." },
  { key: "ai_calls", label: "Model calls", unit: "calls", scale: 1, about: "Calls that fail count." },
  { key: "input_bytes", label: "Input", unit: "KiB", scale: 1024, about: "A larger input is refused." },
  { key: "output_bytes", label: "Output", unit: "KiB", scale: 1024, about: "A plugin that sends more is ended." },
  { key: "log_bytes", label: "Log", unit: "KiB", scale: 1024, about: "What is printed beyond this is dropped." },
];

export const DEFAULT_LIMITS: Limits = {
  timeout_ms: 120_000,
  cpu_ms: 120_000,
  memory_bytes: 128 * MIB,
  ai_calls: 10,
  input_bytes: MIB,
  output_bytes: MIB,
  log_bytes: 256 * 1024,
};

/** What an installation allows unless its operator says otherwise. */
export const DEFAULT_CEILINGS: Limits = {
  timeout_ms: 600_000,
  cpu_ms: 600_000,
  memory_bytes: 512 * MIB,
  ai_calls: 100,
  input_bytes: 4 * MIB,
  output_bytes: 4 * MIB,
  log_bytes: MIB,
};

export const LOWEST: Limits = {
  timeout_ms: 1,
  cpu_ms: 1,
  memory_bytes: 64 * MIB,
  ai_calls: 0,
  input_bytes: 1,
  output_bytes: 1,
  log_bytes: 0,
};

export const shown = (value: number, field: LimitField): string => String(Number((value / field.scale).toFixed(3)));

/** A field's text as the API's number, or what is wrong with it. Empty means the default. */
export function readLimit(text: string, field: LimitField, ceilings: Limits): { value: number } | { problem: string } {
  if (!text.trim()) return { value: DEFAULT_LIMITS[field.key] };
  const entered = Number(text.trim().replace(",", "."));
  if (!Number.isFinite(entered)) return { problem: `A number of ${field.unit}, please.` };
  const value = Math.round(entered * field.scale);
  if (value > ceilings[field.key]) return { problem: `At most ${shown(ceilings[field.key], field)} ${field.unit} here.` };
  if (value < LOWEST[field.key]) return { problem: `At least ${shown(LOWEST[field.key], field)} ${field.unit}.` };
  return { value };
}

interface Described {
  components?: { schemas?: { Limits?: { properties?: Record<string, { "x-ceiling"?: number }> } } };
}

/** Ceilings of this installation out of its OpenAPI document; the usual ones for what it does not say. */
export function ceilingsOf(document: unknown): Limits {
  const described = (document as Described | null)?.components?.schemas?.Limits?.properties ?? {};
  const ceilings = { ...DEFAULT_CEILINGS };
  for (const { key } of LIMIT_FIELDS) ceilings[key] = described[key]?.["x-ceiling"] ?? ceilings[key];
  return ceilings;
}

/** The limits that differ from the defaults, as the API takes them. */
export function changedLimits(limits: Limits): Partial<Limits> {
  const changed: Partial<Limits> = {};
  for (const { key } of LIMIT_FIELDS) if (limits[key] !== DEFAULT_LIMITS[key]) changed[key] = limits[key];
  return changed;
}
