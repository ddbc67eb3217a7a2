import { useEffect, useState, useSyncExternalStore } from "react";
import { RunSession, type RunState } from "./session";

/** A run session that belongs to a component; a run is cancelled when the component goes. */
export function useRun(): { session: RunSession; state: RunState } {
  const [session] = useState(() => new RunSession());
  useEffect(() => () => session.cancel(), [session]);
  return { session, state: useSyncExternalStore(session.subscribe, session.current, session.current) };
}
