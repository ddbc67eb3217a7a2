/** The three states every view has besides its content: loading, empty, failed. */
import { CircleAlert } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { asApiError, inWords } from "../api/errors";
import { Button } from "./Button";

/** Holds the place of content that is on its way; appears only if that takes a while, so that nothing flickers. */
export function Loading({ what, height = 160 }: { what: string; height?: number }) {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 200);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div className="loading" style={{ minHeight: height }} role="status">
      {late && (
        <>
          <span className="loading-bar" aria-hidden />
          <span className="muted">Loading {what}…</span>
        </>
      )}
    </div>
  );
}

export function Empty({ title, children, icon }: { title: string; children?: ReactNode; icon?: ReactNode }) {
  return (
    <div className="empty">
      {icon && (
        <span className="empty-icon" aria-hidden>
          {icon}
        </span>
      )}
      <p className="empty-title">{title}</p>
      {children && <div className="muted">{children}</div>}
    </div>
  );
}

/** A failure in words: what it is, what the gateway said, what to do. */
export function Failure({ error, retry, children }: { error: unknown; retry?: () => void; children?: ReactNode }) {
  const found = asApiError(error);
  const { title, advice } = inWords(found.kind, found.more.code);
  return (
    <div className="note note-problem" role="alert">
      <CircleAlert size={18} aria-hidden />
      <div className="note-body">
        <p className="note-title">{title}</p>
        {found.message && found.kind !== "unreachable" && <p className="note-detail">{found.message}</p>}
        <p className="muted">{advice}</p>
        {(retry || children) && (
          <div className="row">
            {retry && (
              <Button small onClick={retry}>
                Try again
              </Button>
            )}
            {children}
          </div>
        )}
      </div>
    </div>
  );
}
