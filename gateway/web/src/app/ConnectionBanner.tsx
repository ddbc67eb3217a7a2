import { useEffect, useState, useSyncExternalStore } from "react";
import { connection } from "../api/connection";
import { Button } from "../ui/Button";

/** Says that the gateway does not answer, and when it is asked again. Lies over the page, so nothing moves. */
export function ConnectionBanner() {
  const { reachable, nextTryAt } = useSyncExternalStore(connection.subscribe, connection.current, connection.current);
  const seconds = useSecondsUntil(nextTryAt);
  if (reachable) return null;
  return (
    <div className="banner" role="alert">
      <span>
        The gateway does not answer. <span aria-hidden>{nextTryAt ? `Trying again in ${seconds} s` : "Trying…"}</span>
      </span>
      <Button small onClick={() => void connection.tryNow()}>
        Try now
      </Button>
    </div>
  );
}

function useSecondsUntil(moment: number | null): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (moment === null) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [moment]);
  return Math.max(0, Math.ceil(((moment ?? now) - now) / 1_000));
}
