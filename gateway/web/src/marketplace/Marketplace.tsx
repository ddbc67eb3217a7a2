import { Page } from "../ui/Page";

export default function Marketplace() {
  return <Page title="Plugins">…</Page>;
}
