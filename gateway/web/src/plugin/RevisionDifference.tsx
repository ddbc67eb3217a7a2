import { useQueries } from "@tanstack/react-query";
import { revisionQuery } from "../api/queries";
import type { Revision } from "../api/types";
import { Failure, Loading } from "../ui/states";
import { DifferenceView } from "./DifferenceView";
import { FilesDifference } from "./FilesDifference";

export default function RevisionDifference({ name, from, to }: { name: string; from: Revision; to: Revision }) {
  const [before, after] = useQueries({ queries: [revisionQuery(name, from.revision), revisionQuery(name, to.revision)] });
  const failed = [before, after].find((query) => query.error);
  if (failed) return <Failure error={failed.error} retry={() => void failed.refetch()} />;
  if (!before.data || !after.data) return <Loading what="difference" height={200} />;
  const limits = changed(from, to);
  return (
    <>
      {limits.length > 0 && (
        <p className="difference-note small">
          Limits: {limits.map(([key, old, now]) => `${key} ${old.toLocaleString("en")} → ${now.toLocaleString("en")}`).join(", ")}
        </p>
      )}
      <DifferenceView before={before.data.code} after={after.data.code} />
      <FilesDifference before={before.data.files ?? []} after={after.data.files ?? []} />
    </>
  );
}

function changed(from: Revision, to: Revision): [string, number, number][] {
  return Object.entries(to.limits).flatMap(([key, now]) => {
    const old = from.limits[key as keyof typeof from.limits];
    return old === now ? [] : [[key, old, now] as [string, number, number]];
  });
}
