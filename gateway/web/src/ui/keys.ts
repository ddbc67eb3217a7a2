import { useEffect, useRef } from "react";

/** There is no `navigator` where the landing page is made. */
export const IS_MAC = typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.platform);
/** How the key that goes with Enter and K is called here. */
export const MOD = IS_MAC ? "⌘" : "Ctrl";

/** Whether an event is the shortcut: "mod+enter", "mod+k", "/", "escape". */
export function matches(event: KeyboardEvent | React.KeyboardEvent, keys: string): boolean {
  const wanted = keys.toLowerCase().split("+");
  const key = wanted.pop();
  const mod = IS_MAC ? event.metaKey : event.ctrlKey;
  return event.key.toLowerCase() === key && mod === wanted.includes("mod") && event.shiftKey === wanted.includes("shift");
}

/** Call `action` when the keys are pressed anywhere in the page; single keys not while something is typed. */
export function useShortcut(keys: string, action: () => void, enabled = true): void {
  const latest = useRef(action);
  latest.current = action;
  useEffect(() => {
    if (!enabled) return;
    const onKey = (event: KeyboardEvent) => {
      if (!matches(event, keys) || event.defaultPrevented) return;
      const target = event.target as HTMLElement;
      if (!keys.includes("+") && target.closest("input, textarea, select, [contenteditable], [role=textbox]")) return;
      event.preventDefault();
      latest.current();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [keys, enabled]);
}
