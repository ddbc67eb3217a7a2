import { startTransition } from "react";
import { createRoot, hydrateRoot } from "react-dom/client";
import { createBrowserRouter } from "react-router";
import { RouterProvider } from "react-router/dom";
import { connection } from "./api/connection";
import { queryClient } from "./api/queries";
import { App } from "./app/App";
import { routes } from "./app/routes";
import { announce } from "./ui/announce";

connection.onBack = () => {
  announce("The gateway answers again");
  void queryClient.invalidateQueries();
};
window.addEventListener("offline", () => connection.failed());
window.addEventListener("online", () => void connection.tryNow());

const root = document.getElementById("root");
if (root) {
  const app = (
    <App>
      <RouterProvider router={createBrowserRouter(routes)} />
    </App>
  );
  // In slices: a slow phone scrolls and follows links meanwhile.
  startTransition(() => {
    if (root.hasChildNodes()) hydrateRoot(root, app);
    else createRoot(root).render(app);
  });
}
