import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { coloured } from "./vite/coloured.ts";

export default defineConfig({
  plugins: [react(), coloured()],
  test: {
    environment: "happy-dom",
    include: ["src/**/*.test.{ts,tsx}"],
    restoreMocks: true,
    unstubGlobals: true,
    // One environment for all files halves the time; tests leave nothing behind.
    isolate: false,
    pool: "threads",
  },
});
