import { Hammer, Play } from "lucide-react";
import { useState } from "react";
import { Link } from "react-router";
import { RunOutput } from "../runner/RunOutput";
import { useRun } from "../runner/useRun";
import { Button, LinkButton } from "../ui/Button";
import { Code } from "../ui/Code";
import { matches } from "../ui/keys";
import { useMod, useReady } from "../ui/ready";
import { EXAMPLES } from "./examples";
import "./landing.css";

/** What this is, with an example that runs right there. */
export function Landing() {
  return (
    <div className="page page-wide landing">
      <title>WasmForge</title>
      <section className="landing-about">
        <h1>Small Python functions, each call in a sandbox of its own</h1>
        <p className="landing-lead">
          Write a few lines of Python, ask AI models by name, deploy with one click. Your function has an address at once,
          and you run no server for it.
        </p>
        <div className="row">
          <LinkButton to="/builder" kind="primary">
            <Hammer size={16} aria-hidden /> Write a plugin
          </LinkButton>
          <LinkButton to="/plugins">Browse plugins</LinkButton>
        </div>
        <ul className="landing-facts">
          <li>
            <strong>Nothing leaks.</strong> No network, no files, no processes; a new interpreter for each call, in about a
            millisecond.
          </li>
          <li>
            <strong>Models by name.</strong> <code>call_ai</code> asks any that is approved, within budgets.{" "}
            <Link to="/models">See which are here</Link>
          </li>
          <li>
            <strong>Callable from everywhere.</strong> HTTP, NATS, the command line, or <Link to="/run">this page</Link>.{" "}
            <a href="/docs">HTTP description</a>
          </li>
        </ul>
      </section>
      <LiveExample />
    </div>
  );
}

function LiveExample() {
  const [chosen, setChosen] = useState(0);
  const ready = useReady();
  const mod = useMod();
  const example = EXAMPLES[chosen] ?? EXAMPLES[0];
  const [text, setText] = useState(example.input);
  const { session, state } = useRun();
  const run = () =>
    void session.start("/api/plugins/try", {
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ source: example.source.code, input: text }),
    });
  return (
    <section className="landing-example" aria-label="Live example">
      <fieldset className="card" disabled={!ready}>
        <div className="code-bar">
          <div className="segmented" role="radiogroup" aria-label="Example">
            {EXAMPLES.map(({ name, input }, i) => (
              <button
                key={name}
                type="button"
                role="radio"
                aria-checked={i === chosen}
                onClick={() => {
                  setChosen(i);
                  setText(input);
                  session.reset();
                }}
              >
                {name}
              </button>
            ))}
          </div>
        </div>
        <div className="landing-code">
          <Code code={example.source.code} html={example.source.html} language="python" copy="Copy example" />
        </div>
        <div
          className="landing-run"
          onKeyDown={(event) => {
            if (!matches(event, "mod+enter")) return;
            event.preventDefault();
            run();
          }}
        >
          <textarea
            className="textarea"
            aria-label="Input of the example"
            rows={2}
            // What a browser keeps of a page that was left would stand here without being what is run.
            autoComplete="off"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
          {state.status === "running" ? (
            <Button onClick={session.cancel}>Cancel</Button>
          ) : (
            <Button kind="primary" onClick={run}>
              <Play size={15} aria-hidden /> Run <kbd aria-hidden>{mod} ⏎</kbd>
            </Button>
          )}
        </div>
      </fieldset>
      <RunOutput
        session={session}
        state={state}
        name="example"
        idle={<p>Press Run: it runs here and now, in the sandbox.</p>}
        onRetry={run}
      />
    </section>
  );
}
