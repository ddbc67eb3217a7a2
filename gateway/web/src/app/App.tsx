import { QueryClientProvider } from "@tanstack/react-query";
import { type ReactNode, StrictMode } from "react";
import { queryClient } from "../api/queries";
import "./theme.css";
import "./base.css";
import "../ui/ui.css";

/** What is around the router: the same in the browser and where the landing page is made. */
export function App({ children }: { children: ReactNode }) {
  return (
    <StrictMode>
      <QueryClientProvider client={queryClient}>{children}</QueryClientProvider>
    </StrictMode>
  );
}
