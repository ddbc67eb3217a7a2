// @vitest-environment node
import { afterEach, expect, test, vi } from "vitest";
import { getJson, request } from "./client";
import { ConnectionWatch, connection } from "./connection";
import { ApiError, asApiError, inWords } from "./errors";
import { readEvents } from "./events";

afterEach(() => vi.unstubAllGlobals());

function body(...pieces: (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(typeof piece === "string" ? new TextEncoder().encode(piece) : piece);
      controller.close();
    },
  });
}

async function all(stream: ReadableStream<Uint8Array>) {
  const found = [];
  for await (const event of readEvents(stream)) found.push([event.event, event.data]);
  return found;
}

test("events come whole, however the stream is cut", async () => {
  const text = 'event: output\ndata: "é"\n\n: a comment\r\nevent: done\r\ndata: {\ndata: }\n\n';
  const bytes = new TextEncoder().encode(text);
  const whole = [
    ["output", '"é"'],
    ["done", "{\n}"],
  ];
  expect(await all(body(text))).toEqual(whole);
  for (let cut = 1; cut < bytes.length; cut++) {
    expect(await all(body(bytes.slice(0, cut), bytes.slice(cut)))).toEqual(whole);
  }
});

test("an event that the end of the stream cut off is not one", async () => {
  expect(await all(body('event: output\ndata: "a"\n\nevent: done\ndata: {"succ'))).toEqual([["output", '"a"']]);
});

test("who stops reading closes the stream, which cancels the execution", async () => {
  const cancel = vi.fn();
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode("data: 1\n\n")),
    cancel,
  });
  for await (const _ of readEvents(endless)) break;
  expect(cancel).toHaveBeenCalledOnce();
});

test.each([
  [new Response('{"detail":"no plugin x"}', { status: 404 }), "not_found", "no plugin x"],
  [new Response('{"detail":"changed meanwhile"}', { status: 409 }), "conflict", "changed meanwhile"],
  [new Response("<html>", { status: 502 }), "unavailable", "502"],
  [
    Response.json({ error_type: "ai_error", error: "no model", code: "timeout", execution_id: "e1" }, { status: 502 }),
    "ai_error",
    "no model",
  ],
])("a refusal keeps the gateway's words", async (response, kind, message) => {
  vi.stubGlobal("fetch", async () => response);
  const error = asApiError(await request("/x").catch((error: unknown) => error));
  expect(error.kind).toBe(kind);
  expect(error.message).toContain(message);
});

test("no answer is told from a cancelled request", async () => {
  vi.stubGlobal("fetch", async () => {
    throw new TypeError("failed");
  });
  const failed = vi.spyOn(connection, "failed").mockReturnValue();
  await expect(request("/x")).rejects.toMatchObject({ kind: "unreachable" });
  expect(failed).toHaveBeenCalledOnce();
  vi.stubGlobal("fetch", async (_: string, { signal }: RequestInit) => signal?.throwIfAborted());
  await expect(request("/x", { signal: AbortSignal.abort() })).rejects.toMatchObject({ kind: "cancelled" });
  expect(failed).toHaveBeenCalledOnce();
});

test("an answer that is no JSON is an error of its own", async () => {
  vi.stubGlobal("fetch", async () => new Response("<html>"));
  await expect(getJson("/x")).rejects.toBeInstanceOf(ApiError);
});

test("the gateway is asked again ever less often until it answers", async () => {
  vi.useFakeTimers();
  let there = false;
  const ask = vi.fn(async () => there);
  const watch = new ConnectionWatch(ask);
  watch.onBack = vi.fn();
  watch.failed();
  watch.failed();
  expect(watch.current().reachable).toBe(false);
  await vi.advanceTimersByTimeAsync(1_000 + 2_000 + 4_000);
  expect(ask).toHaveBeenCalledTimes(3);
  there = true;
  await vi.advanceTimersByTimeAsync(8_000);
  expect(watch.current()).toEqual({ reachable: true, nextTryAt: null });
  expect(watch.onBack).toHaveBeenCalledOnce();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(ask).toHaveBeenCalledTimes(4);
  vi.useRealTimers();
});

test("every failure has words, also one that is not known yet", () => {
  expect(inWords("timeout").title).toBe("The time was up");
  expect(inWords("ai_error", "busy").advice).toContain("busy");
  expect(inWords("something_new").title).toBe("That did not work");
  expect(inWords(null).advice).not.toBe("");
});
