import type { ReactNode } from "react";

/** A page with its heading, title and, at the right of the heading, what can be done. */
export function Page({
  title,
  heading,
  about,
  actions,
  wide,
  children,
}: {
  title: string;
  heading?: ReactNode;
  about?: ReactNode;
  actions?: ReactNode;
  /** Uses all the width there is, for tools rather than texts. */
  wide?: boolean;
  children: ReactNode;
}) {
  return (
    <div className={wide ? "page page-wide" : "page"}>
      <title>{`${title} · WasmForge`}</title>
      <header className="page-header">
        <div className="page-heading">
          <h1>{heading ?? title}</h1>
          {about && <p className="muted">{about}</p>}
        </div>
        {actions && <div className="row page-actions">{actions}</div>}
      </header>
      {children}
    </div>
  );
}
