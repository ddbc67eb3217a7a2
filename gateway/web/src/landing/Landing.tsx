import { Page } from "../ui/Page";

export function Landing() {
  return <Page title="Start">…</Page>;
}
