import type { ComponentType } from "react";
import type { RouteObject } from "react-router";
import { Landing } from "../landing/Landing";
import { Loading } from "../ui/states";
import { Broken } from "./Broken";
import { Layout } from "./Layout";
import { NotFound } from "./NotFound";

/** A page that is fetched when it is first opened. */
const page = (load: () => Promise<{ default: ComponentType }>) => ({
  lazy: async () => ({ Component: (await load()).default }),
});

/** The editor is the largest part: it is on its way together with the page. */
const builder = () => {
  import("../builder/editing").catch(() => {
    // The editor's own place says so, and can be asked again.
  });
  return import("../builder/BuilderPage");
};

export const routes: RouteObject[] = [
  {
    element: <Layout />,
    errorElement: <Broken />,
    hydrateFallbackElement: <Loading what="page" height={400} />,
    children: [
      {
        errorElement: <Broken />,
        children: [
          { index: true, element: <Landing /> },
          { path: "plugins", ...page(() => import("../marketplace/Marketplace")) },
          { path: "plugins/:name/:tab?", ...page(() => import("../plugin/PluginPage")) },
          { path: "run/:name?", ...page(() => import("../runner/RunnerPage")) },
          { path: "builder/:name?", ...page(builder) },
          { path: "models", ...page(() => import("../models/ModelsPage")) },
          { path: "*", element: <NotFound /> },
        ],
      },
    ],
  },
];
