import { useQuery } from "@tanstack/react-query";
import { Search } from "lucide-react";
import { lazy, Suspense, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { Link, NavLink, Outlet, ScrollRestoration, useLocation } from "react-router";
import { connection } from "../api/connection";
import { healthQuery } from "../api/queries";
import { Announcements } from "../ui/announce";
import { useShortcut } from "../ui/keys";
import { useMod, useReady } from "../ui/ready";
import { ConnectionBanner } from "./ConnectionBanner";
import { PLACES } from "./places";
import "./layout.css";

const loadPalette = () => import("./CommandPalette");
const CommandPalette = lazy(loadPalette);

export function Layout() {
  const [searching, setSearching] = useState(false);
  useShortcut("mod+k", () => setSearching((open) => !open));
  useEffect(() => {
    // Here before it is asked for: what is typed right after the shortcut must not land in the page behind.
    const soon = window.requestIdleCallback ?? ((call: () => void) => window.setTimeout(call, 500));
    soon(() => void loadPalette().catch(() => undefined));
  }, []);
  const main = useFocusOnNavigation();
  return (
    <>
      <a className="skip-link" href="#main">
        Skip to content
      </a>
      <header className="header">
        <div className="header-inner">
          <Link className="brand" to="/">
            <img src="/favicon.svg" width="26" height="26" alt="" />
            WasmForge
          </Link>
          <nav className="nav" aria-label="Main">
            {PLACES.map(({ to, name, icon: Icon }) => (
              <NavLink key={to} to={to}>
                <Icon size={20} aria-hidden />
                {name}
              </NavLink>
            ))}
          </nav>
          <span className="spacer" />
          <PlatformState />
          <SearchButton onClick={() => setSearching(true)} />
        </div>
      </header>
      <main id="main" tabIndex={-1} ref={main}>
        <Outlet />
      </main>
      <ConnectionBanner />
      <Announcements />
      {searching && (
        <Suspense>
          <CommandPalette onClose={() => setSearching(false)} />
        </Suspense>
      )}
      <ScrollRestoration />
    </>
  );
}

function SearchButton({ onClick }: { onClick: () => void }) {
  const ready = useReady();
  const mod = useMod();
  return (
    <button type="button" className="search-button" disabled={!ready} onClick={onClick}>
      <Search size={16} aria-hidden />
      <span>Search</span>
      <kbd>{mod} K</kbd>
    </button>
  );
}

/** After a change of page the keyboard starts at its content, as it would after a full load. */
function useFocusOnNavigation() {
  const main = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  const shown = useRef(pathname);
  useEffect(() => {
    const before = shown.current;
    shown.current = pathname;
    // Tabs of one page keep the focus where it is.
    const page = (path: string) => path.split("/").slice(0, 3).join("/");
    if (page(before) !== page(pathname)) main.current?.focus({ preventScroll: true });
  }, [pathname]);
  return main;
}

function PlatformState() {
  const { reachable } = useSyncExternalStore(connection.subscribe, connection.current, connection.current);
  const { data } = useQuery({ ...healthQuery, refetchInterval: reachable ? 15_000 : false, staleTime: 14_000, retry: false });
  const state = !reachable ? "away" : (data?.status ?? "unknown");
  const text = { ok: "All well", degraded: "Degraded", away: "No answer", unknown: "" }[state] ?? "";
  const title = state === "degraded" ? data?.problems.join("\n") : undefined;
  return (
    <span className="state-dot" data-state={state} title={title}>
      <span aria-hidden>{text}</span>
      <span className="hidden-visually">{text && `State of the platform: ${text}`}</span>
    </span>
  );
}
