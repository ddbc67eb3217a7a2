/** Names for the shapes of the API; the shapes are the gateway's own, in `schema.ts`, which is generated. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type PluginSummary = Schemas["PluginSummary"];
export type PluginFile = Schemas["PluginFile"];
export type PluginCode = Schemas["PluginCode"];
export type Limits = Required<Schemas["Limits"]>;
export type Uploaded = Schemas["Uploaded"];
export type Revision = Schemas["RevisionSummary"];
export type RevisionSource = Schemas["RevisionCode"];
export type Health = Schemas["Health"];
export type StreamDone = Schemas["StreamDone"];
export type Problem = Schemas["Problem"];
export type Models = Schemas["ModelPage"];
export type ModelDetail = Schemas["ModelLine"];
export type ModelServer = Schemas["ModelServer"];
export type ChatDone = Schemas["AnswerDone"];
export type Platform = Schemas["Platform"];
export type Usage = Schemas["Usage"];
export type UsageCounts = Schemas["Counters"];
export type Budget = Schemas["BudgetState"];
export type InputType = PluginSummary["input_type"];
export type ErrorType = Problem["error_type"];
