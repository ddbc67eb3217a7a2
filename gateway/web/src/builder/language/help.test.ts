import { describe, expect, it } from "vitest";
import { helpAt, signatureAt } from "./help";
import { placeAt } from "./place";

const MODELS = [{ name: "qwen2.5:1.5b", type: "text", description: "multilingual", available: true, answered_by: "smollm2:135m" }];
const IMPORT = "from platform_sdk import call_ai, get_input\n";

const hover = (marked: string) => helpAt(marked.replace("|", ""), marked.indexOf("|"), MODELS);
const signature = (marked: string) => signatureAt(marked.replace("|", ""), marked.indexOf("|"));

function active(marked: string): string | undefined {
  const found = signature(marked);
  const range = found?.parameters[found.active];
  return range && found?.signature.slice(...range);
}

describe("hover", () => {
  it("explains names that come from the SDK, and no others", () => {
    expect(hover(`${IMPORT}get_|input()`)?.code).toBe("get_input() -> str");
    expect(hover("get_|input()")).toBeNull();
    expect(hover(`${IMPORT}# get_|input()`)).toBeNull();
    expect(hover(`${IMPORT}len|(x)`)).toBeNull();
    expect(hover("import platform_sdk\nplatform_sdk.list|_models()")?.text).toContain("models that plugins may call");
    expect(hover("import plat|form_sdk")?.text).toContain("plugin");
  });
  it("explains arguments and models", () => {
    expect(hover(`${IMPORT}call_ai("m", "p", sys|tem="x")`)?.code).toContain("system: str | None = None");
    const model = hover(`${IMPORT}call_ai("qwen|2.5:1.5b", "p")`);
    expect(model?.text).toContain("smollm2:135m");
    expect(hover(`${IMPORT}call_ai("m", "qwen|2.5:1.5b")`)).toBeNull();
  });
});

describe("signature", () => {
  it("points at the argument that is being written", () => {
    expect(active(`${IMPORT}call_ai(|`)).toBe("model: str");
    expect(active(`${IMPORT}call_ai("a, b", |`)).toBe("prompt: str");
    expect(active(`${IMPORT}call_ai("m", [1, (2, 3)], |`)).toBeUndefined();
    expect(active(`${IMPORT}call_ai("m", "p", options={"a": |`)).toContain("options: ");
    expect(active(`${IMPORT}call_ai("m", "p", format=|`)).toContain("format: ");
  });
  it("is the innermost call that is known", () => {
    expect(signature(`${IMPORT}call_ai("m", str(get_input(|`)?.called.name).toBe("get_input");
    expect(signature(`${IMPORT}call_ai("m", str(|`)?.called.name).toBe("call_ai");
    expect(signature("print(|")).toBeNull();
    expect(signature(`${IMPORT}call_ai("m", "p")|`)).toBeNull();
  });
});

describe("placeAt", () => {
  const at = (marked: string) => placeAt(marked.replace("|", ""), marked.indexOf("|"));
  it("tells strings from what only looks like one", () => {
    expect(at(`x = "a" + |`).string).toBeNull();
    expect(at(`x = 'it\\'s |'`).string?.quotes).toBe("'");
    expect(at(`"""doc 'quoted' "words" |`).string?.quotes).toBe('"""');
    expect(at(`# it's\nx = |`).string).toBeNull();
    expect(at(`x = "open\ny = |`).string).toBeNull();
    expect(at(`x = ""|`).string).toBeNull();
  });
  it("does not take a comparison for a keyword", () => {
    expect(at("f(a == |").calls.at(-1)?.keyword).toBeNull();
    expect(at("f(a=|").calls.at(-1)?.keyword).toBe("a");
    expect(at("f(a >= |").calls.at(-1)?.keyword).toBeNull();
    expect(at("f((a := |").calls[0]?.keyword).toBeNull();
  });
  it("knows the call also far down in a long source", () => {
    const source = 'x = ["a", (1, 2)]\n'.repeat(60_000);
    expect(placeAt(`${source}call_ai(`, source.length + 8).calls.at(-1)?.callee).toBe("call_ai");
  });
});
