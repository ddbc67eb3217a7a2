import { Page } from "../ui/Page";

export default function RunnerPage() {
  return <Page title="Run">…</Page>;
}
