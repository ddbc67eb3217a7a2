import { Page } from "../ui/Page";

export default function BuilderPage() {
  return <Page title="Builder">…</Page>;
}
