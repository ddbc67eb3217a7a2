import { Link2, Play, Square } from "lucide-react";
import { useEffect, useState } from "react";
import { segment } from "../api/client";
import type { PluginCode } from "../api/types";
import { announce } from "../ui/announce";
import { Button, IconButton } from "../ui/Button";
import { short } from "../ui/format";
import { matches, MOD } from "../ui/keys";
import { remember } from "./history";
import { InputEditor } from "./InputEditor";
import { bodyOf, emptyInput, LINK_CHARACTERS, problemOf, type RunInput, sizeOf, toFragment } from "./input";
import { RunOutput } from "./RunOutput";
import { useRun } from "./useRun";
import "./runner.css";

/** How long a network that went away without a word is waited for, beyond the plugin's own time. */
const GRACE_MS = 20_000;

/** What a run is filled with from outside: a link, or the history. */
export interface Prefill {
  key: string;
  input: RunInput;
  revision: string | null;
}

/** Input at the left, output at the right: runs one plugin, as often as one likes. */
export function Runner({ plugin, prefill }: { plugin: PluginCode; prefill?: Prefill | null }) {
  const [input, setInput] = useState<RunInput>(prefill?.input ?? emptyInput(plugin.input_type));
  const [revision, setRevision] = useState<string | null>(prefill?.revision ?? null);
  const [tried, setTried] = useState(false);
  const { session, state } = useRun();
  const running = state.status === "running";
  const limit = plugin.limits.input_bytes;

  useEffect(() => {
    if (!prefill) return;
    setInput(prefill.input);
    setRevision(prefill.revision);
    setTried(false);
  }, [prefill]);

  const pinned = revision !== null && revision !== plugin.revision ? revision : null;

  const run = async () => {
    setTried(true);
    if (running || problemOf(input, limit) !== null) return;
    const { body, type } = bodyOf(input);
    const headers: Record<string, string> = { "Content-Type": type };
    if (pinned) headers["Wasmforge-Revision"] = pinned;
    const outcome = await session.start(
      `/fn/${segment(plugin.name)}`,
      { body, headers },
      (plugin.limits.timeout_ms ?? 600_000) + GRACE_MS,
    );
    const { totalMs, outputBytes, revision: ran } = session.current();
    remember({
      plugin: plugin.name,
      at: Date.now(),
      as: input.as,
      text: input.as === "file" ? null : input.text,
      inputBytes: sizeOf(input),
      fileName: input.file?.name ?? null,
      success: outcome.success,
      kind: outcome.kind,
      totalMs: totalMs ?? 0,
      outputBytes,
      revision: ran,
    });
  };

  const link = async () => {
    const address = `${location.origin}/run/${segment(plugin.name)}${toFragment(input, state.revision ?? pinned)}`;
    try {
      await navigator.clipboard.writeText(address);
      const whole = input.as !== "file" && input.text.length <= LINK_CHARACTERS;
      announce(whole ? "Link copied" : "Link copied, without the input: it is too large for a link");
    } catch {
      announce("The browser does not let this page copy; the link is in the address bar now", "problem");
      history.replaceState(history.state, "", address);
    }
  };

  return (
    <div
      className="runner"
      onKeyDown={(event) => {
        if (matches(event, "mod+enter")) {
          event.preventDefault();
          void run();
        } else if (event.key === "Escape" && running) session.cancel();
      }}
    >
      <section className="runner-input card card-body" aria-label="Input">
        {pinned && (
          <p className="row small">
            <span className="badge badge-warn">Revision {short(pinned)}, not the current one</span>
            <Button small onClick={() => setRevision(null)}>
              Use the current one
            </Button>
          </p>
        )}
        <InputEditor input={input} onChange={setInput} hint={plugin.input_hint} limitBytes={limit} tried={tried} />
        <div className="row">
          {running ? (
            <Button onClick={session.cancel}>
              <Square size={14} aria-hidden /> Cancel
            </Button>
          ) : (
            <Button kind="primary" onClick={() => void run()}>
              <Play size={15} aria-hidden /> Run <kbd aria-hidden>{MOD} ⏎</kbd>
            </Button>
          )}
          <span className="spacer" />
          <IconButton label="Copy a link that opens this run again" onClick={() => void link()}>
            <Link2 size={17} aria-hidden />
          </IconButton>
        </div>
      </section>
      <RunOutput
        session={session}
        state={state}
        name={plugin.name}
        idle={<p>What the plugin sends appears here as it comes.</p>}
        onRetry={() => void run()}
      />
    </div>
  );
}
