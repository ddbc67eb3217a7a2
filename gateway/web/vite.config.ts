import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { coloured } from "./vite/coloured.ts";
import { precompress } from "./vite/precompress.ts";
import { prerender } from "./vite/prerender.ts";

const gateway = process.env.WASMFORGE_DEV_GATEWAY ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react(), coloured(), prerender(), precompress()],
  build: {
    target: "es2023",
    outDir: process.env.WASMFORGE_WEB_OUT ?? "dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 6000,
  },
  server: {
    proxy: { "/api": gateway, "/fn": gateway, "/health": gateway, "/openapi.json": gateway, "/docs": gateway },
  },
});
