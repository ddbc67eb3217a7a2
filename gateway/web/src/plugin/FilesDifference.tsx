import type { PluginFile } from "../api/types";
import { bytes } from "../ui/format";
import { changedFiles, type ChangedFile } from "./changedFiles";

/** Which other files of a plugin of several are not the same in two revisions. */
export function FilesDifference({ before, after }: { before: readonly PluginFile[]; after: readonly PluginFile[] }) {
  if (before.length <= 1 && after.length <= 1) return null;
  const changed = changedFiles(before, after);
  return (
    <div className="difference-files">
      <h3>Other files</h3>
      {changed.length === 0 && <p className="muted">They are the same.</p>}
      <ul>
        {changed.map((file) => (
          <li key={file.path} data-kind={file.kind}>
            <span className="mono">{file.path}</span> <span className="small">{words(file)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function words({ kind, before, after }: ChangedFile): string {
  if (kind === "added") return `added, ${bytes(after ?? 0)}`;
  if (kind === "removed") return `removed, ${bytes(before ?? 0)}`;
  return before === after ? `changed, ${bytes(after ?? 0)} as before` : `changed, ${bytes(before ?? 0)} → ${bytes(after ?? 0)}`;
}
