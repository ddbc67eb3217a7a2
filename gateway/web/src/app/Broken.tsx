import { useRouteError } from "react-router";
import { Button } from "../ui/Button";
import { Page } from "../ui/Page";

/** A page that failed, or whose code could not be fetched (a new version was deployed, the network is away). */
export function Broken() {
  const error = useRouteError();
  return (
    <Page title="Failed" heading="This page failed">
      <div className="stack" role="alert">
        <p>
          Reloading usually helps: the app may have been updated while it was open. Drafts and history are kept in this
          browser.
        </p>
        <pre className="note-detail muted">{error instanceof Error ? error.message : String(error)}</pre>
        <div className="row">
          <Button kind="primary" onClick={() => location.reload()}>
            Reload
          </Button>
        </div>
      </div>
    </Page>
  );
}
