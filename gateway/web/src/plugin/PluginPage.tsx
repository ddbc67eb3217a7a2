import { Page } from "../ui/Page";

export default function PluginPage() {
  return <Page title="Plugin">…</Page>;
}
