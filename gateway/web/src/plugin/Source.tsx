import { Download } from "lucide-react";
import type { PluginCode } from "../api/types";
import { download } from "../runner/RunOutput";
import { Button } from "../ui/Button";
import { Code } from "../ui/Code";
import { bytes, plural } from "../ui/format";
import { LimitsTable } from "./LimitsTable";

export function Source({ plugin }: { plugin: PluginCode }) {
  const files = plugin.files ?? [];
  const size = new Blob([plugin.code]).size;
  return (
    <div className="stack">
      <section className="card" aria-label="Source">
        <div className="code-bar">
          <h2>plugin.py</h2>
          <span className="muted small">
            {plural(plugin.code.replace(/\n$/, "").split("\n").length, "line")}, {bytes(size)}
          </span>
          <span className="spacer" />
          <Button small kind="quiet" onClick={() => download(new Blob([plugin.code]), `${plugin.name}.py`)}>
            <Download size={15} aria-hidden /> Download
          </Button>
        </div>
        <Code code={plugin.code} language="python" lines copy="Copy source" />
      </section>
      {files.length > 1 && (
        <section>
          <h2>Its files</h2>
          <ul className="plugin-files muted">
            {files.map((file) => (
              <li key={file.path}>
                <span className="mono">{file.path}</span>, {bytes(file.bytes)}
              </li>
            ))}
          </ul>
        </section>
      )}
      <section>
        <h2>Limits of a call</h2>
        <LimitsTable limits={plugin.limits} />
      </section>
    </div>
  );
}
