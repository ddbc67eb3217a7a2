import { useEffect, useState, useSyncExternalStore } from "react";
import { connection } from "../api/connection";
import { Checker, type CheckState } from "./check";

/** The checker of one source; asks again by itself when the gateway is back. */
export function useChecks(): { checker: Checker; checks: CheckState } {
  const [checker] = useState(() => new Checker());
  useEffect(() => {
    const stop = connection.subscribe(() => connection.current().reachable && checker.again());
    return () => {
      stop();
      checker.stop();
    };
  }, [checker]);
  return { checker, checks: useSyncExternalStore(checker.subscribe, checker.current) };
}
