import { useMemo } from "react";
import { bytes } from "../ui/format";
import type { RunSession } from "./session";

const SHOWN_BYTES = 4_096;
const WIDTH = 16;

/** The first bytes of what is not text. */
export function HexView({ session, size }: { session: RunSession; size: number }) {
  const dump = useMemo(() => hex(session.head(SHOWN_BYTES)), [session, size]);
  return (
    <>
      <pre className="long-text">{dump}</pre>
      {size > SHOWN_BYTES && (
        <p className="muted small">
          The first {bytes(SHOWN_BYTES)} of {bytes(size)}; the download has all.
        </p>
      )}
    </>
  );
}

export function hex(data: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < data.length; at += WIDTH) {
    const row = [...data.subarray(at, at + WIDTH)];
    const digits = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const letters = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${digits.padEnd(WIDTH * 3)} ${letters}`);
  }
  return lines.join("\n");
}
