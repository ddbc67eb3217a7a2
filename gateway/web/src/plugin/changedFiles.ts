import type { PluginFile } from "../api/types";

export interface ChangedFile {
  path: string;
  kind: "added" | "removed" | "changed";
  /** Bytes; null where it is not there. */
  before: number | null;
  after: number | null;
}

/** Files that are not the same in two revisions, by path. The file that runs is left out where both have it: its text is compared. */
export function changedFiles(before: readonly PluginFile[], after: readonly PluginFile[]): ChangedFile[] {
  const old = new Map(before.map((file) => [file.path, file]));
  const now = new Map(after.map((file) => [file.path, file]));
  const paths = [...new Set([...old.keys(), ...now.keys()])].sort();
  return paths.flatMap((path): ChangedFile[] => {
    const [from, to] = [old.get(path), now.get(path)];
    if (from && to && (MAINS.has(path) || (from.checksum === to.checksum && from.bytes === to.bytes))) return [];
    const kind = from ? (to ? "changed" : "removed") : "added";
    return [{ path, kind, before: from?.bytes ?? null, after: to?.bytes ?? null }];
  });
}

const MAINS = new Set(["plugin.py", "__main__.py"]);
