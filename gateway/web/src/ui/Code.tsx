import { useEffect, useState } from "react";
import { CopyButton } from "./CopyButton";
import type { Language } from "./highlight";
import "./code.css";

/** Beyond this, colours would hold the page up for longer than they are worth. */
const COLOURED_CHARACTERS = 200_000;

interface Props {
  code: string;
  language: Language;
  /** Where the build has coloured it already. */
  html?: string;
  /** Count them at the left. */
  lines?: boolean;
  /** Name of the button that copies it. */
  copy?: string;
}

/** Source text, plain at first and coloured as soon as the highlighter is there: nothing moves. */
export function Code({ code, language, html: made, lines, copy }: Props) {
  const [coloured, setColoured] = useState<{ code: string; html: string } | null>(null);
  useEffect(() => {
    if (made !== undefined || code.length > COLOURED_CHARACTERS) return;
    let wanted = true;
    import("./highlight").then(
      ({ highlight }) => wanted && setColoured({ code, html: highlight(code, language) }),
      () => {},
    );
    return () => {
      wanted = false;
    };
  }, [code, language, made]);
  const html = made ?? (coloured?.code === code ? coloured.html : null);
  return (
    <div className="code">
      {copy && (
        <div className="code-copy">
          <CopyButton text={code} label={copy} />
        </div>
      )}
      <div className="code-scroll" tabIndex={0} role="region" aria-label="Source, scrolls">
        {lines && (
          <pre className="code-lines" aria-hidden>
            {code
              .replace(/\n$/, "")
              .split("\n")
              .map((_, i) => i + 1)
              .join("\n")}
          </pre>
        )}
        {html === null ? <pre>{code}</pre> : <pre dangerouslySetInnerHTML={{ __html: html }} />}
      </div>
    </div>
  );
}
