/** Numbers as people read them. */

// Made when first used: a browser takes tens of milliseconds for the first of them.
const moments = once(() => new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "long" }));
const dates = once(() => new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" }));
const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 365 * 86_400],
  ["month", 30 * 86_400],
  ["week", 7 * 86_400],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** 1,234,567 */
export const count = (value: number): string => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");

export const plural = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`;

/** 1 MiB, 93.8 MiB, 512 bytes: powers of 1024, as limits are set. */
export function bytes(value: number): string {
  if (value < 1024) return plural(value, "byte");
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let i = -1;
  let scaled = value;
  while (scaled >= 1024 && i < units.length - 1) {
    scaled /= 1024;
    i++;
  }
  return `${scaled >= 100 || Number.isInteger(scaled) ? Math.round(scaled) : scaled.toFixed(1)} ${units[i]}`;
}

/** A length of time from milliseconds: 0.4 ms, 12 ms, 1.3 s, 2 min 5 s, 3 h 20 min. */
export function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  const [whole, rest, big, little] =
    seconds < 3_600
      ? [Math.floor(seconds / 60), seconds % 60, "min", "s"]
      : [Math.floor(seconds / 3_600), Math.floor((seconds % 3_600) / 60), "h", "min"];
  return rest ? `${whole} ${big} ${rest} ${little}` : `${whole} ${big}`;
}

/** "3 minutes ago", from RFC 3339 or `Date.now()`. */
export function ago(when: string | number, now = Date.now()): string {
  const seconds = (now - new Date(when).getTime()) / 1_000;
  if (Number.isNaN(seconds)) return "";
  for (const [unit, length] of STEPS) {
    if (Math.abs(seconds) >= length) return moments().format(-Math.round(seconds / length), unit);
  }
  return "just now";
}

export const date = (when: string | number): string => dates().format(new Date(when));

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/** The first eight digits of a digest, which is what people compare. */
export const short = (digest: string): string => digest.slice(0, 8);
