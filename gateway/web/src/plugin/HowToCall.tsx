import { useQuery } from "@tanstack/react-query";
import { Tabs } from "radix-ui";
import { platformQuery } from "../api/queries";
import type { PluginCode } from "../api/types";
import { Code } from "../ui/Code";
import { CopyButton } from "../ui/CopyButton";
import { callExamples } from "./callExamples";

export function HowToCall({ plugin }: { plugin: PluginCode }) {
  const { data: platform } = useQuery(platformQuery);
  const examples = callExamples(plugin, location.origin, platform?.nats ?? `nats://${location.hostname}:4222`);
  const address = `${location.origin}/fn/${encodeURIComponent(plugin.name)}`;
  return (
    <div className="stack">
      <p className="row call-address">
        <span className="muted">Address</span> <code>{address}</code> <CopyButton text={address} label="Copy address" />
      </p>
      <Tabs.Root defaultValue="curl" className="card">
        <Tabs.List className="tabs call-tabs" aria-label="From">
          {examples.map(({ key, title }) => (
            <Tabs.Trigger key={key} value={key} className="tab">
              {title}
            </Tabs.Trigger>
          ))}
        </Tabs.List>
        {examples.map(({ key, language, code, note }) => (
          <Tabs.Content key={key} value={key} className="call-example">
            <Code code={code} language={language} copy="Copy" />
            {note && <p className="muted small">{note}</p>}
          </Tabs.Content>
        ))}
      </Tabs.Root>
      <p className="muted">
        The body is the input, whatever it is; the answer's body is the output. Headers, streams and errors are described in{" "}
        <a href="/docs">the HTTP description</a>.
      </p>
    </div>
  );
}
