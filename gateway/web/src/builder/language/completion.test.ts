import { describe, expect, it } from "vitest";
import { type Model, type Suggestion, suggestAt } from "./completion";

const MODELS: Model[] = [
  { name: "qwen2.5:1.5b", type: "text", description: "multilingual", available: true, answered_by: "smollm2:135m" },
  { name: "mistral:latest", type: "code", description: "code", available: false, answered_by: null },
];

/** Suggestions at the bar. */
function at(marked: string): Suggestion[] {
  const offset = marked.indexOf("|");
  return suggestAt(marked.replace("|", ""), offset, MODELS);
}

/** The source after a suggestion was taken. */
function taken(marked: string, label: string): string {
  const source = marked.replace("|", "");
  const one = at(marked).find((suggestion) => suggestion.label === label);
  if (!one) throw new Error(`${label} is not suggested`);
  const text = source.slice(0, one.from) + one.insert.replace("$0", "") + source.slice(one.to);
  return one.with ? text.slice(0, one.with.offset) + one.with.text + text.slice(one.with.offset) : text;
}

const labels = (marked: string) => at(marked).map((suggestion) => suggestion.label);

describe("models", () => {
  it("are suggested in the string that names one, and replace what stands there", () => {
    expect(labels('call_ai("|')).toEqual(["qwen2.5:1.5b", "mistral:latest"]);
    expect(labels("call_ai(prompt='x', model='qw|en')")).toContain("qwen2.5:1.5b");
    expect(taken('call_ai("mist|ral", "x")', "qwen2.5:1.5b")).toBe('call_ai("qwen2.5:1.5b", "x")');
    expect(taken('call_ai("|")', "mistral:latest")).toBe('call_ai("mistral:latest")');
    expect(taken('call_ai("|\nnext', "mistral:latest")).toBe('call_ai("mistral:latest"\nnext');
  });
  it("are suggested with quotes where a model is due and no string has begun", () => {
    expect(taken("x = call_ai(|)", "qwen2.5:1.5b")).toBe('x = call_ai("qwen2.5:1.5b")');
    expect(taken("x = call_ai(model=|)", "qwen2.5:1.5b")).toBe('x = call_ai(model="qwen2.5:1.5b")');
  });
  it("are not suggested in other strings, nor for other functions", () => {
    expect(labels('call_ai("m", "|')).toEqual([]);
    expect(labels('open("|')).toEqual([]);
    expect(labels('call_ai("m", system="|')).toEqual([]);
  });
  it("come with those that are available first", () => {
    const [first, second] = at('call_ai("|');
    expect(first?.rank).toBeLessThan(second?.rank ?? 0);
  });
  it("follow the name a function was imported as", () => {
    expect(labels('from platform_sdk import call_ai as ask\nask("|')).toContain("qwen2.5:1.5b");
    expect(labels('import platform_sdk as sdk\nsdk.call_ai("|')).toContain("qwen2.5:1.5b");
  });
});

describe("names of the SDK", () => {
  it("bring their import, each in the way the source imports already", () => {
    expect(taken("get_in|", "get_input")).toBe("from platform_sdk import get_input\n\nget_input()");
    expect(taken("from platform_sdk import call_ai\nget_in|", "get_input")).toBe("from platform_sdk import call_ai, get_input\nget_input()");
    expect(taken("from platform_sdk import (\n    call_ai,\n)\nget_in|", "get_input")).toBe(
      "from platform_sdk import (\n    call_ai, get_input\n)\nget_input()",
    );
    expect(taken('"""What it does."""\n\nget_in|', "get_input")).toBe('"""What it does."""\n\nfrom platform_sdk import get_input\n\nget_input()');
    expect(taken("from platform_sdk import get_input\nget_in|", "get_input")).toBe("from platform_sdk import get_input\nget_input()");
  });
  it("are all that an import line is offered, without those it has", () => {
    const offered = labels("from platform_sdk import call_ai, |");
    expect(offered).toContain("send_output");
    expect(offered).not.toContain("call_ai");
    expect(offered).not.toContain("lambda");
    expect(labels("from platform_sdk import (\n    call_ai,\n    |")).toContain("send_output");
  });
  it("stand behind the module's own name", () => {
    expect(labels("import platform_sdk\nplatform_sdk.|")).toContain("call_ai");
    expect(labels("import json\njson.|")).toEqual([]);
  });
  it("know what an error has", () => {
    expect(labels("from platform_sdk import AIError\ntry: ...\nexcept AIError as error:\n    print(error.|)")).toContain("code");
    expect(labels("try: ...\nexcept (ValueError, AIError) as e:\n    e.|")).toContain("code");
    expect(labels("try: ...\nexcept ValueError as e:\n    e.|")).toEqual([]);
  });
  it("know the keys of what is given back", () => {
    const source = 'from platform_sdk import chat, list_models\nreply = chat("m", [])\nfor model in list_models():\n    ';
    expect(labels(`${source}reply["|"]`)).toContain("content");
    expect(labels(`${source}model["|"]`)).toContain("answered_by");
    expect(taken(`${source}reply["con|"]`, "content")).toContain('reply["content"]');
    expect(labels(`${source}reply.|`)).toEqual([]);
    expect(labels(`${source}other["|"]`)).toEqual([]);
  });
});

describe("places", () => {
  it("have arguments that are not given yet", () => {
    const offered = labels('call_ai("m", "p", temperature=1, |)');
    expect(offered).toContain("system=");
    expect(offered).not.toContain("model=");
    expect(labels('call_ai("m", "p", system="x", |)')).not.toContain("system=");
  });
  it("in comments and after numbers have nothing", () => {
    expect(labels("# call_ai(|")).toEqual([]);
    expect(labels("x = 1.|")).toEqual([]);
  });
  it("after from and import have modules", () => {
    expect(labels("import |")).toContain("json");
    expect(at("from |")[0]?.label).toBe("platform_sdk");
    expect(taken("import xml.et|", "xml.etree.ElementTree")).toBe("import xml.etree.ElementTree");
  });
  it("have words of the source, but not the one that is being typed", () => {
    const offered = labels("customers = []\ncusto|");
    expect(offered).toContain("customers");
    expect(offered).not.toContain("custo");
  });
});
