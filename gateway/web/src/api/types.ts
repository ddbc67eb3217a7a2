/** Names for the shapes of the API. What the gateway describes comes from `schema.ts`, which is generated. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type PluginSummary = Schemas["PluginSummary"];
export type PluginCode = Schemas["PluginCode"];
export type Limits = Required<Schemas["Limits"]>;
export type Uploaded = Schemas["Uploaded"];
export type Health = Schemas["Health"];
export type StreamDone = Schemas["StreamDone"];
export type Problem = Schemas["Problem"];
export type InputType = PluginSummary["input_type"];
export type ErrorType = Problem["error_type"];

/* Not in the description yet. */

export interface Revision {
  revision: string;
  number: number;
  created_at: string;
  current: boolean;
  source_bytes: number;
  limits: Limits;
}

export interface RevisionSource {
  name: string;
  revision: string;
  number: number;
  created_at: string;
  current: boolean;
  code: string;
  limits: Limits;
  files: { path: string; bytes: number }[];
}

export interface ModelDetail {
  name: string;
  type: string;
  description: string;
  available: boolean;
  answered_by: string | null;
  loaded: boolean;
  size_bytes: number | null;
  parameter_size: string | null;
  quantization: string | null;
  context_length: number | null;
  capabilities: string[];
  servers: string[];
}

export interface ModelServer {
  url: string;
  backend: string;
  connected: boolean;
  error: string | null;
  loaded: string[];
  running: number;
  waiting: number;
}

export interface Models {
  models: ModelDetail[];
  servers: ModelServer[];
  connected: boolean;
}

export interface ChatDone {
  success: boolean;
  error: string | null;
  error_type: string | null;
  error_code: string | null;
  answered_by: string | null;
  prompt_tokens: number | null;
  output_tokens: number | null;
  duration_us: number | null;
}

export interface UsageCounts {
  requests: number;
  refused: Record<string, number>;
  cached: number;
  prompt_tokens: number;
  output_tokens: number;
  queue_us: number;
  generation_us: number;
  running: number;
  waiting: number;
}

export interface Budget {
  scope: "global" | "plugin" | "caller" | "execution";
  key: string;
  what: "calls" | "prompt_characters" | "prompt_tokens" | "output_tokens";
  window: "minute" | "day";
  used: number;
  limit: number;
  resets_in_ms: number;
}

export interface Usage {
  brokers: number;
  since: string;
  models: (UsageCounts & { model: string })[];
  plugins: (UsageCounts & { plugin: string })[];
  callers: (UsageCounts & { caller: string })[];
  budgets: Budget[];
}
