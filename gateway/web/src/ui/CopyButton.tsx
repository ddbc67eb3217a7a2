import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { announce } from "./announce";
import { IconButton } from "./Button";

/** Copies a text; for a text that is dear to make, give a function. */
export function CopyButton({ text, label = "Copy" }: { text: string | (() => string); label?: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1_600);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(typeof text === "string" ? text : text());
      setCopied(true);
      announce("Copied");
    } catch {
      // Browsers refuse on plain HTTP from another host.
      announce("The browser does not let this page copy; select the text instead", "problem");
    }
  };
  return (
    <IconButton label={label} small onClick={() => void copy()}>
      {copied ? <Check size={15} aria-hidden /> : <Copy size={15} aria-hidden />}
    </IconButton>
  );
}
