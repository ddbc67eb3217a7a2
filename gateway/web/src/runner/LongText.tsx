import { memo, useRef } from "react";

const BLOCK_CHARACTERS = 16_384;

/** Text of any length: in blocks, of which the browser lays out only those in view, and React repaints only the last. */
export function LongText({ text, className }: { text: string; className?: string }) {
  const ends = useBlocks(text);
  return (
    <pre className={`long-text ${className ?? ""}`}>
      {ends.map((end, i) => {
        const start = i ? (ends[i - 1] ?? 0) : 0;
        return <Block key={start} text={text} start={start} end={end} />;
      })}
    </pre>
  );
}

const Block = memo(
  function Block({ text, start, end }: { text: string; start: number; end: number }) {
    const last = text[end - 1] === "\n" && end < text.length ? end - 1 : end;
    return <div className="long-text-block">{text.slice(start, last)}</div>;
  },
  // Text only ever grows, so a block with the same bounds holds the same; another text has another key in the parent.
  (before, after) => before.start === after.start && before.end === after.end && before.text.length <= after.text.length,
);

/** Where blocks end. While text grows, what was cut stays cut. */
function useBlocks(text: string): number[] {
  const known = useRef<{ length: number; ends: number[] }>({ length: 0, ends: [] });
  const before = known.current;
  const ends = text.length >= before.length ? before.ends.slice(0, -1) : [];
  let start = ends.at(-1) ?? 0;
  while (text.length - start > BLOCK_CHARACTERS) {
    const newline = text.lastIndexOf("\n", start + BLOCK_CHARACTERS - 1);
    start = newline > start ? newline + 1 : start + BLOCK_CHARACTERS;
    ends.push(start);
  }
  if (start < text.length || ends.length === 0) ends.push(text.length);
  known.current = { length: text.length, ends };
  return ends;
}
