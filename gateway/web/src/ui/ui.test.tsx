import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import { plainText, search } from "../marketplace/search";
import { callExamples } from "../plugin/callExamples";
import { changedFiles } from "../plugin/changedFiles";
import { difference } from "../plugin/difference";
import { JsonTree } from "../runner/JsonTree";
import { LongText } from "../runner/LongText";
import { OutcomeNote } from "../runner/OutcomeNote";
import { Button } from "./Button";
import { ago, bytes, count, duration, plural } from "./format";
import { highlight } from "./highlight";
import { renderMarkdown } from "./Markdown";

afterEach(cleanup);

test("numbers read as people write them", () => {
  expect([0, 1, 1023, 1024, 1536, 1024 ** 2, 98_362_432].map(bytes)).toEqual([
    "0 bytes", "1 byte", "1,023 bytes", "1 KiB", "1.5 KiB", "1 MiB", "93.8 MiB",
  ]);
  expect([0.42, 12.3, 1_300, 60_000, 125_000, 7_200_000, 77_061_000].map(duration)).toEqual(["0.4 ms", "12 ms", "1.3 s", "1 min", "2 min 5 s", "2 h", "21 h 24 min"]);
  expect(ago(0, 3 * 86_400_000)).toBe("3 days ago");
  expect(ago(Date.now())).toBe("just now");
  expect(ago("")).toBe("");
  expect([0, 999, 1_000, 12_345, 999_999, 1_234_567, -1_234].map(count)).toEqual(["0", "999", "1,000", "12,345", "999,999", "1,234,567", "-1,234"]);
  expect([plural(1, "plugin"), plural(2, "plugin")]).toEqual(["1 plugin", "2 plugins"]);
});

test.each([
  '<script>alert(1)</script>', '<img src=x onerror=alert(1)>', '[x](javascript:alert(1))', '[x](data:text/html,x)',
  '![x](https://example.com/pixel.png)', '<a href="https://example.com" onclick="x()">x</a>', '<svg><script>1</script></svg>',
])("Markdown runs and loads nothing: %s", (text) => {
  const holder = document.createElement("div");
  holder.innerHTML = renderMarkdown(text);
  expect(holder.querySelectorAll("script, img, svg, iframe, style, [onerror], [onclick]")).toHaveLength(0);
  for (const link of holder.querySelectorAll("a")) expect(link.getAttribute("href") ?? "").toMatch(/^$|^https:/);
});

test("Markdown's links give nothing away", () => {
  expect(renderMarkdown("[x](https://example.com)")).toContain('rel="noopener noreferrer nofollow"');
});

test("coloured source is escaped", () => {
  expect(highlight('x = "<b>&"', "python")).toContain("&lt;b&gt;&amp;");
});

const plugin = (name: string, description = "") => ({
  name, description, input_type: "text" as const, input_hint: "", calls: 1, model_calls: 0, revision: "", updated_at: "",
});

test("a search wants all words and puts names first", () => {
  const all = [plugin("other", "a summary"), plugin("long_summary"), plugin("summary"), plugin("none")];
  expect(search(all, "Summary").map(({ name }) => name)).toEqual(["summary", "long_summary", "other"]);
  expect(search(all, "a summary oth").map(({ name }) => name)).toEqual(["other"]);
  expect(search(all, "  ")).toHaveLength(4);
});

test("cards show Markdown without its marks", () => {
  expect(plainText("# Title\n\n**Bold** and [a link](https://x), `code`\n- item")).toBe("Title Bold and a link, code item");
});

test("examples of calls hold the real address and fit their shell", () => {
  const examples = callExamples({ name: "a_b", input_type: "json" }, "http://host.example:8000", "nats://host.example:4333");
  expect(examples.map(({ key }) => key)).toEqual(["curl", "python", "javascript", "cli", "nats"]);
  for (const { key, code } of examples) {
    expect(code).toContain(key === "nats" || key === "cli" ? "a_b" : "http://host.example:8000/fn/a_b");
    if (key === "nats") expect(code).toContain("--server nats://host.example:4333 ");
  }
});

test("a difference counts and numbers lines", () => {
  const found = difference("a\nb\nc\n", "a\nB\nc\nd\n");
  expect(found).toMatchObject({ added: 2, removed: 1 });
  expect(found?.lines.find(({ text }) => text === "d")).toMatchObject({ kind: "added", before: null, after: 4 });
});

test("files that a revision added, removed or changed are told, and no others", () => {
  const file = (path: string, checksum: string, size = 3) => ({ path, bytes: size, checksum });
  const before = [file("plugin.py", "1"), file("same.py", "2"), file("gone.py", "3"), file("data.csv", "4")];
  const after = [file("plugin.py", "9"), file("same.py", "2"), file("data.csv", "5", 8), file("new.py", "6")];
  expect(changedFiles(before, after)).toEqual([
    { path: "data.csv", kind: "changed", before: 3, after: 8 },
    { path: "gone.py", kind: "removed", before: 3, after: null },
    { path: "new.py", kind: "added", before: null, after: 3 },
  ]);
  expect(changedFiles([file("plugin.py", "1")], [file("__main__.py", "1")])).toHaveLength(2);
});

test("a busy button keeps the focus and can't be pressed again", async () => {
  const press = vi.fn();
  const { rerender } = render(<Button onClick={press}>Go</Button>);
  await userEvent.click(screen.getByRole("button"));
  rerender(<Button onClick={press} busy>Go</Button>);
  await userEvent.click(screen.getByRole("button"));
  expect(press).toHaveBeenCalledOnce();
  expect(document.activeElement).toBe(screen.getByRole("button"));
});

test("text of any length is whole while it grows", () => {
  const line = `${"x".repeat(99)}\n`;
  let text = "";
  const { container, rerender } = render(<LongText text={text} />);
  for (let i = 0; i < 30; i++) {
    text += line.repeat(50);
    rerender(<LongText text={text} />);
  }
  const blocks = [...container.querySelectorAll(".long-text-block")].map((block) => block.textContent);
  expect(blocks.length).toBeGreaterThan(5);
  expect(blocks.join("\n")).toBe(text);
});

test("JSON folds, and shows huge lists a part at a time", async () => {
  render(<JsonTree value={Array.from({ length: 1_000 }, (_, i) => i)} />);
  expect(screen.queryByText("999")).toBeNull();
  await userEvent.click(screen.getByRole("button", { name: /Show more \(900 left\)/ }));
  expect(screen.getByText("399")).toBeTruthy();
});

test("the lines of a traceback lead to the source", async () => {
  const onLine = vi.fn();
  const error = 'Traceback (most recent call last):\n  File "plugin.py", line 8, in <module>\n    f()\n  File "plugin.py", line 3, in f\nValueError: no';
  const outcome = {
    success: false, kind: "plugin_error", error, code: null, executionId: null, retryAfterSeconds: null, phases: {}, data: {},
  };
  render(<OutcomeNote outcome={outcome} onLine={onLine} />);
  const links = screen.getAllByRole("button", { name: /plugin\.py/ });
  expect(links.map(({ textContent }) => textContent)).toEqual(['File "plugin.py", line 8', 'File "plugin.py", line 3']);
  await userEvent.click(links[1] as HTMLElement);
  expect(onLine).toHaveBeenCalledWith(3);
});
