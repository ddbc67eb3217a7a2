import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import react from "@vitejs/plugin-react";
import { build, type Plugin } from "vite";
import { coloured } from "./coloured.ts";

/** Makes `landing.html` of `index.html`: the page under `/`, which can be read before any script has run. */
export function prerender(): Plugin {
  return {
    name: "prerender",
    apply: "build",
    async writeBundle({ dir }) {
      if (!dir) throw new Error("there is no folder to write to");
      const made = join(dir, ".prerender");
      await build({
        configFile: false,
        plugins: [react(), coloured()],
        logLevel: "warn",
        publicDir: false,
        build: { ssr: "src/prerender.tsx", outDir: made, emptyOutDir: true, target: "node20" },
        ssr: { noExternal: true },
      });
      const { landing } = (await import(pathToFileURL(join(made, "prerender.js")).href)) as { landing(): Promise<string> };
      const place = '<div id="root"></div>';
      const page = readFileSync(join(dir, "index.html"), "utf8");
      if (!page.includes(place)) throw new Error(`index.html lacks ${place}`);
      const html = await landing();
      writeFileSync(join(dir, "landing.html"), page.replace(place, () => `<div id="root">${html}</div>`));
      rmSync(made, { recursive: true });
    },
  };
}
