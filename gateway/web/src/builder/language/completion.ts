/** What can be written at a place: names of the SDK, their arguments, models that are there, Python's own words. */
import type { ModelDetail } from "../../api/types";
import { type Insertion, importedFrom, importOf } from "./imports";
import { type Place, placeAt } from "./place";
import { MODULE, MODULE_HELP, parameterOf, resultOf, SDK_NAMES, type SdkName, sdkName } from "./sdk";
import { BUILTINS, KEYWORDS, MODULES, wordsOf } from "./words";

export type Model = Pick<ModelDetail, "name" | "type" | "description" | "available" | "answered_by">;

export type Kind = "function" | "class" | "constant" | "attribute" | "module" | "model" | "argument" | "keyword" | "word";

export interface Suggestion {
  label: string;
  kind: Kind;
  /** A snippet if it holds `$0`. */
  insert: string;
  detail: string;
  /** Markdown. */
  documentation: string;
  /** Offsets that `insert` replaces. */
  from: number;
  to: number;
  /** An import that comes with it. */
  with: Insertion | null;
  /** Lower comes first. */
  rank: number;
}

const KINDS: Record<SdkName["kind"], Kind> = {
  function: "function",
  method: "function",
  class: "class",
  constant: "constant",
  attribute: "attribute",
  key: "attribute",
};

const KNOWN = new Set([...KEYWORDS, ...BUILTINS, ...SDK_NAMES.map((name) => name.name)]);

export function suggestAt(source: string, offset: number, models: readonly Model[]): Suggestion[] {
  const place = placeAt(source, offset);
  if (place.comment) return [];
  if (place.string) {
    if (asksForModel(source, place)) return modelsInString(source, offset, place.string, models);
    return keysInString(source, offset, place.string);
  }

  const line = source.slice(source.lastIndexOf("\n", offset - 1) + 1, offset);
  const typed = /\w*$/.exec(line)?.[0] ?? "";
  const from = offset - typed.length;
  const here = { from, to: offset };
  const plain = { documentation: "", with: null, ...here };

  if (/^\s*from\s+platform_sdk\s+import\b/.test(line) || inImportBrackets(source, offset)) {
    const had = new Set(importedFrom(source).names.values());
    return SDK_NAMES.filter((name) => !had.has(name.name)).map((name) => ({ ...ofName(name), ...here, insert: name.name }));
  }
  const module = /^\s*(?:from|import)\s+([\w.]*)$/.exec(line)?.[1];
  if (module !== undefined) {
    const whole = { from: offset - module.length, to: offset };
    return [MODULE, ...MODULES].map((label, i) => ({
      ...plain,
      ...whole,
      label,
      insert: label,
      kind: "module" as const,
      detail: i ? "standard library" : "input, output and models",
      documentation: i ? "" : MODULE_HELP,
      rank: i ? 1 : 0,
    }));
  }
  const owner = /([A-Za-z_][\w.]*)\.\w*$/.exec(line)?.[1];
  if (owner !== undefined)
    return membersOf(source, owner, offset)
      .filter(({ kind }) => kind !== "key")
      .map((name) => ({ ...ofName(name), ...here, rank: 0 }));
  if (/(?:\d|[\w)\]}"']\.)\w*$/.test(line) && !/(?:^|[^\w.)\]}"'])[A-Za-z_]\w*$/.test(line)) return [];

  const suggestions: Suggestion[] = [];
  const call = place.calls.at(-1);
  const called = call && calledName(source, call.callee);
  if (call && called && call.fresh) {
    if (parameterOf(called, call.argument, call.keyword)?.name === "model") {
      suggestions.push(...models.map((model) => ({ ...ofModel(model), ...here, insert: JSON.stringify(model.name), rank: model.available ? 0 : 1 })));
    }
    if (call.keyword === null) {
      const taken = new Set([...call.given, ...(called.parameters ?? []).slice(0, call.argument).map((p) => (p.keyword_only ? "" : p.name))]);
      for (const parameter of called.parameters ?? []) {
        if (taken.has(parameter.name) || parameter.label.startsWith("*")) continue;
        const { label, documentation } = parameter;
        suggestions.push({ ...plain, label: `${parameter.name}=`, insert: `${parameter.name}=`, kind: "argument", detail: label, documentation, rank: 2 });
      }
    }
  }
  for (const name of SDK_NAMES) suggestions.push({ ...ofName(name), ...here, with: importOf(source, name.name), rank: 3 });
  for (const label of KEYWORDS) suggestions.push({ ...plain, label, insert: label, kind: "keyword", detail: "", rank: 6 });
  for (const label of BUILTINS) suggestions.push({ ...plain, label, insert: label, kind: "word", detail: "built in", rank: 5 });
  for (const label of wordsOf(source, offset, KNOWN)) suggestions.push({ ...plain, label, insert: label, kind: "word", detail: "", rank: 4 });
  return suggestions;
}

/** The SDK's function that a call in this source calls, whatever it was imported as. */
export function calledName(source: string, callee: string): SdkName | undefined {
  if (!callee) return undefined;
  const { names, module } = importedFrom(source);
  if (module !== null && callee.startsWith(`${module}.`)) return sdkName(callee.slice(module.length + 1));
  // A name is helped with before its import is written, too.
  return sdkName(names.get(callee) ?? callee) ?? memberCalled(source, callee);
}

function memberCalled(source: string, callee: string): SdkName | undefined {
  const dot = callee.lastIndexOf(".");
  if (dot < 0) return undefined;
  return membersOf(source, callee.slice(0, dot), source.length).find((member) => member.name === callee.slice(dot + 1));
}

/** Members of a variable that holds something of the SDK: `except AIError as error`, `reply = chat(…)`. */
export function membersOf(source: string, owner: string, before: number): readonly SdkName[] {
  const { module, names } = importedFrom(source);
  if (owner === module) return SDK_NAMES;
  if (!/^\w+$/.test(owner)) return [];
  const above = source.slice(0, before);
  const caught = last(above, new RegExp(`except\\s+\\(?[\\w, .]*?(\\w+)\\)?\\s+as\\s+${owner}\\b`, "g"));
  if (caught) return sdkName(names.get(caught) ?? caught)?.members ?? [];
  const given = last(above, new RegExp(`(?:\\b${owner}(?:: *\\w+)? = |for\\s+${owner}\\s+in\\s+|\\(${owner} := )(?:\\w+\\.)?(\\w+)\\(`, "g"));
  const called = given ? sdkName(names.get(given) ?? given) : undefined;
  if (!called) return [];
  return called.kind === "class" ? called.members : (resultOf(called)?.members ?? []);
}

function last(text: string, pattern: RegExp): string | undefined {
  let found: string | undefined;
  for (const match of text.matchAll(pattern)) found = match[1];
  return found;
}

/** Whether a string is the model of a call: `call_ai("…`, `chat(model="…`. */
export function asksForModel(source: string, place: Place): boolean {
  const call = place.calls.at(-1);
  const called = call && calledName(source, call.callee);
  return !!called && parameterOf(called, call.argument, call.keyword)?.name === "model";
}

interface Quoted {
  start: number;
  quotes: string;
}

/** The string's end comes with what is suggested in it, so that typing goes on behind it. */
function rangeOf(source: string, offset: number, string: Quoted): { from: number; to: number } {
  const end = offset + source.slice(offset).search(/["'\n]|$/);
  return { from: string.start, to: source.startsWith(string.quotes, end) ? end + string.quotes.length : end };
}

/** Keys of a dict that the SDK gave: `reply["…`. */
function keysInString(source: string, offset: number, string: Quoted): Suggestion[] {
  const before = source.slice(Math.max(0, string.start - 200), string.start - string.quotes.length);
  const owner = /([A-Za-z_]\w*)\[$/.exec(before)?.[1];
  if (owner === undefined) return [];
  return membersOf(source, owner, string.start)
    .filter(({ kind }) => kind === "key")
    .map((name) => ({ ...ofName(name), ...rangeOf(source, offset, string), insert: name.name + string.quotes }));
}

function modelsInString(source: string, offset: number, string: Quoted, models: readonly Model[]): Suggestion[] {
  const range = rangeOf(source, offset, string);
  return models.map((model) => ({ ...ofModel(model), ...range, insert: model.name + string.quotes, rank: model.available ? 0 : 1 }));
}

export function helpOfModel(model: Model): string {
  const state = !model.available
    ? "Not available now."
    : model.answered_by && model.answered_by !== model.name
      ? `Answered by \`${model.answered_by}\`.`
      : "Available.";
  return [model.description, state].filter(Boolean).join("\n\n");
}

const ofModel = (model: Model) => ({
  label: model.name,
  kind: "model" as const,
  detail: model.available ? model.type : `${model.type}, not available`,
  documentation: helpOfModel(model),
  with: null,
});

function ofName(name: SdkName) {
  const callable = name.kind === "function" || name.kind === "method";
  const needs = (name.parameters ?? []).some((parameter) => parameter.default === null);
  return {
    label: name.name,
    kind: KINDS[name.kind],
    insert: callable ? (needs ? `${name.name}($0)` : `${name.name}()`) : name.name,
    detail: name.signature,
    documentation: name.documentation,
    with: null,
    rank: 0,
  };
}

function inImportBrackets(source: string, offset: number): boolean {
  const before = source.slice(Math.max(0, offset - 2_000), offset);
  return /(?:^|\n)from\s+platform_sdk\s+import\s*\([^)]*$/.test(before);
}
