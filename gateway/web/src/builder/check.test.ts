import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Checker, type Checked, type Problem } from "./check";

const problem = (message: string): Problem => ({ line: 1, column: 1, end_line: null, end_column: null, message, severity: "error" });

describe("Checker", () => {
  const asked: { source: string; signal: AbortSignal; answer: (checked: Checked) => void; fail: (error: Error) => void }[] = [];
  let checker: Checker;
  beforeEach(() => {
    vi.useFakeTimers();
    asked.length = 0;
    checker = new Checker((source, signal) => new Promise((answer, fail) => asked.push({ source, signal, answer, fail })), 300);
  });
  afterEach(() => vi.useRealTimers());
  const settle = () => vi.advanceTimersByTimeAsync(0);
  const messages = () => checker.current().problems.map(({ message }) => message);

  it("asks once for what is typed without a pause", async () => {
    for (const source of ["a", "ab", "abc"]) {
      checker.update(source);
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(asked).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(300);
    expect(asked.map(({ source }) => source)).toEqual(["abc"]);
    asked[0]?.answer({ ok: false, problems: [problem("no")] });
    await settle();
    expect(checker.current()).toEqual({ status: "checked", problems: [problem("no")] });
  });
  it("drops an answer that came too late, and stops waiting for it", async () => {
    checker.update("old", true);
    await settle();
    checker.update("new", true);
    await settle();
    expect(asked[0]?.signal.aborted).toBe(true);
    asked[1]?.answer({ ok: true, problems: [problem("new")] });
    await settle();
    asked[0]?.answer({ ok: false, problems: [problem("old")] });
    await settle();
    expect(messages()).toEqual(["new"]);
  });
  it("keeps the last problems while it asks, and where nobody answers", async () => {
    checker.update("a", true);
    await settle();
    asked[0]?.answer({ ok: false, problems: [problem("first")] });
    await settle();
    checker.update("b", true);
    expect(checker.current().status).toBe("checking");
    expect(messages()).toEqual(["first"]);
    await settle();
    asked[1]?.fail(new Error("away"));
    await settle();
    expect(checker.current()).toMatchObject({ status: "unknown", why: "away" });
    expect(messages()).toEqual(["first"]);
    checker.again();
    await settle();
    expect(asked[2]?.source).toBe("b");
  });
  it("asks nothing for a source it has just looked at, and nothing once it is stopped", async () => {
    checker.update("a", true);
    await settle();
    asked[0]?.answer({ ok: true, problems: [] });
    await settle();
    checker.update("a");
    checker.update("b");
    checker.stop();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked).toHaveLength(1);
  });
});
