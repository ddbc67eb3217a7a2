/** What `platform_sdk` has, as `python -m sdk.language` reads it out of the module's own source. */
import described from "./platform_sdk.json";

export interface Parameter {
  name: string;
  /** As it stands in the signature. */
  label: string;
  documentation: string;
  default: string | null;
  keyword_only: boolean;
}

export interface SdkName {
  name: string;
  kind: "function" | "class" | "constant" | "method" | "attribute" | "key";
  signature: string;
  /** Null for what can't be called. */
  parameters: Parameter[] | null;
  /** Markdown. */
  documentation: string;
  members: SdkName[];
}

export const MODULE = described.module;
export const MODULE_HELP = described.documentation;
export const SDK_NAMES = described.names as SdkName[];

const BY_NAME = new Map(SDK_NAMES.map((name) => [name.name, name]));

export const sdkName = (name: string): SdkName | undefined => BY_NAME.get(name);

/** The parameter that an argument goes to: by its keyword, else by its place; undefined if there is none. */
export function parameterOf(called: SdkName, argument: number, keyword: string | null): Parameter | undefined {
  const parameters = called.parameters ?? [];
  if (keyword !== null) return parameters.find((parameter) => parameter.name === keyword);
  const parameter = parameters[argument];
  if (parameter && !parameter.keyword_only) return parameter;
  return undefined;
}

/** The SDK's class that a call of a function gives, if it gives one. */
export function resultOf(called: SdkName): SdkName | undefined {
  const given = / -> (?:[\w.]+\[)?(\w+)\]?$/.exec(called.signature)?.[1];
  const found = given === undefined ? undefined : BY_NAME.get(given);
  return found?.kind === "class" ? found : undefined;
}
