import { Compass } from "lucide-react";
import { LinkButton } from "../ui/Button";
import { Page } from "../ui/Page";
import { Empty } from "../ui/states";

export function NotFound() {
  return (
    <Page title="Not found" heading="There is nothing here">
      <Empty title="This address leads nowhere" icon={<Compass size={32} />}>
        <p>It may be misspelt, or what was here is gone.</p>
      </Empty>
      <div className="row" style={{ justifyContent: "center" }}>
        <LinkButton to="/plugins" kind="primary">
          All plugins
        </LinkButton>
        <LinkButton to="/">Start</LinkButton>
      </div>
    </Page>
  );
}
