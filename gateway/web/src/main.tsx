import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { createBrowserRouter } from "react-router";
import { RouterProvider } from "react-router/dom";
import { connection } from "./api/connection";
import { queryClient } from "./api/queries";
import { routes } from "./app/routes";
import { announce } from "./ui/announce";
import "./app/theme.css";
import "./app/base.css";
import "./ui/ui.css";

connection.onBack = () => {
  announce("The gateway answers again");
  void queryClient.invalidateQueries();
};
window.addEventListener("offline", () => connection.failed());
window.addEventListener("online", () => void connection.tryNow());

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={createBrowserRouter(routes)} />
      </QueryClientProvider>
    </StrictMode>,
  );
}
