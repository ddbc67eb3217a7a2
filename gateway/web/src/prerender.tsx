import { renderToString } from "react-dom/server";
import { createStaticHandler, createStaticRouter, StaticRouterProvider } from "react-router";
import { App } from "./app/App";
import { routes } from "./app/routes";

/** HTML of the landing page, which the build puts into it: there before any script has run. */
export async function landing(): Promise<string> {
  const handler = createStaticHandler(routes);
  // Of the address only its path counts.
  const context = await handler.query(new Request("http://localhost/"));
  if (context instanceof Response) throw new Error(`the landing page answers with status ${context.status}`);
  const html = renderToString(
    <App>
      <StaticRouterProvider router={createStaticRouter(handler.dataRoutes, context)} context={context} hydrate={false} />
    </App>,
  );
  // What React would have in the head comes first; the head has it.
  return html.replace(/^(<link [^>]*>|<title>[^<]*<\/title>)+/, "");
}
