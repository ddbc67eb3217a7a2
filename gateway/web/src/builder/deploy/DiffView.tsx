import { useEffect, useRef, useState } from "react";
import { Failure, Loading } from "../../ui/states";

/** What is deployed beside what would be, in the editor's own view of differences. */
export function DiffView({ before, after, label }: { before: string; after: string; label: string }) {
  const element = useRef<HTMLDivElement>(null);
  const [state, setState] = useState<"loading" | "shown" | { error: unknown }>("loading");
  useEffect(() => {
    let remove: (() => void) | undefined;
    let gone = false;
    import("../editing").then(
      ({ createDiff }) => {
        if (gone || !element.current) return;
        remove = createDiff(element.current, before, after, label);
        setState("shown");
      },
      (error: unknown) => !gone && setState({ error }),
    );
    return () => {
      gone = true;
      remove?.();
    };
  }, [before, after, label]);
  return (
    <div className="diff-view" role="group" aria-label={label}>
      {typeof state === "object" ? <Failure error={state.error} /> : state === "loading" && <Loading what="difference" height={240} />}
      <div className="diff-view-place" ref={element} />
    </div>
  );
}
