import { useSyncExternalStore } from "react";

const never = () => () => {};

/** Whether scripts run: false in the landing page as it was built, where nothing must take what nobody hears yet. */
export const useReady = (): boolean =>
  useSyncExternalStore(
    never,
    () => true,
    () => false,
  );
