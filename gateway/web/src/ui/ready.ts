import { useSyncExternalStore } from "react";
import { MOD } from "./keys";

const never = () => () => {};

/** Whether scripts run: false in the landing page as it was built, where nothing must take what nobody hears yet. */
export const useReady = (): boolean =>
  useSyncExternalStore(
    never,
    () => true,
    () => false,
  );

/** `MOD`, for what is in that page too: made where nobody knows who will read it. */
export const useMod = (): string => (useReady() ? MOD : "Ctrl");
