/** Help for what the pointer or the cursor is on: hover cards and signatures. */
import { asksForModel, calledName, helpOfModel, membersOf, type Model } from "./completion";
import { importedFrom } from "./imports";
import { placeAt } from "./place";
import { MODULE, MODULE_HELP, parameterOf, type SdkName, sdkName } from "./sdk";

export interface Help {
  /** Python, shown as code; "" for none. */
  code: string;
  /** Markdown. */
  text: string;
  from: number;
  to: number;
}

export function helpAt(source: string, offset: number, models: readonly Model[]): Help | null {
  const place = placeAt(source, offset);
  if (place.comment) return null;
  if (place.string) {
    const end = source.indexOf(place.string.quotes, place.string.start);
    const name = source.slice(place.string.start, end < 0 ? undefined : end);
    const model = asksForModel(source, place) ? models.find((one) => one.name === name) : undefined;
    return model ? { code: "", text: helpOfModel(model), from: place.string.start, to: place.string.start + name.length } : null;
  }
  const from = offset - (/\w*$/.exec(source.slice(Math.max(0, offset - 100), offset))?.[0].length ?? 0);
  const word = /^\w+/.exec(source.slice(from, from + 100))?.[0];
  if (!word) return null;
  const range = { from, to: from + word.length };
  if (word === MODULE) return { code: `import ${MODULE}`, text: MODULE_HELP, ...range };

  const owner = /([A-Za-z_]\w*)\.$/.exec(source.slice(Math.max(0, from - 100), from))?.[1];
  if (owner !== undefined) {
    const member = membersOf(source, owner, from).find((one) => one.name === word);
    return member ? { code: member.signature, text: member.documentation, ...range } : null;
  }
  if (/^\w+\s*=(?!=)/.test(source.slice(from, from + 120))) {
    const call = place.calls.at(-1);
    const parameter = call && calledName(source, call.callee)?.parameters?.find((one) => one.name === word);
    if (parameter) return { code: parameter.label, text: parameter.documentation, ...range };
  }
  // A name that means something else here must not be explained as the SDK's.
  const known = importedFrom(source).names.get(word);
  const found = known === undefined ? undefined : sdkName(known);
  return found ? { code: found.signature, text: found.documentation, ...range } : null;
}

export interface SignatureHelp {
  called: SdkName;
  signature: string;
  /** Offsets in `signature` of each parameter. */
  parameters: [number, number][];
  active: number;
}

export function signatureAt(source: string, offset: number): SignatureHelp | null {
  const place = placeAt(source, offset);
  if (place.comment) return null;
  for (const call of place.calls.toReversed()) {
    const called = calledName(source, call.callee);
    if (!called?.parameters) continue;
    const parameters = offsetsOf(called);
    const parameter = parameterOf(called, call.argument, call.keyword);
    const active = parameter ? called.parameters.indexOf(parameter) : parameters.length;
    return { called, signature: called.signature, parameters, active };
  }
  return null;
}

function offsetsOf(called: SdkName): [number, number][] {
  let from = called.signature.indexOf("(") + 1;
  return (called.parameters ?? []).map(({ label }) => {
    const start = called.signature.indexOf(label, from);
    from = start + label.length;
    return [start, from];
  });
}
