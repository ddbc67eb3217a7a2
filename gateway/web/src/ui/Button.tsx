import type { ButtonHTMLAttributes, ReactNode, Ref } from "react";
import { Link, type LinkProps } from "react-router";

type Kind = "primary" | "plain" | "quiet" | "danger";

interface Look {
  kind?: Kind;
  small?: boolean;
}

const className = ({ kind = "plain", small }: Look, more?: string) =>
  `button button-${kind}${small ? " button-small" : ""}${more ? ` ${more}` : ""}`;

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement>, Look {
  /** Works on it: keeps its size and its focus, and can't be pressed again. */
  busy?: boolean;
  ref?: Ref<HTMLButtonElement>;
}

export function Button({ kind, small, busy, children, className: more, disabled, onClick, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      className={className({ kind, small }, more)}
      // A disabled button would drop the focus that is on it.
      aria-disabled={busy || disabled || undefined}
      onClick={busy || disabled ? (event) => event.preventDefault() : onClick}
      data-busy={busy || undefined}
    >
      {children}
    </button>
  );
}

/** A button that holds an icon only; `label` is its name for those who don't see it, and its tooltip. */
export function IconButton({ label, children, ...rest }: ButtonProps & { label: string; children: ReactNode }) {
  return (
    <Button kind="quiet" {...rest} className={`button-icon ${rest.className ?? ""}`} aria-label={label} title={label}>
      {children}
    </Button>
  );
}

export function LinkButton({ kind, small, className: more, ...rest }: LinkProps & Look) {
  return <Link {...rest} className={className({ kind, small }, more)} />;
}
