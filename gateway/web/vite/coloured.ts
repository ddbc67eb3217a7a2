import { readFileSync } from "node:fs";
import type { Plugin } from "vite";
import { highlight } from "../src/ui/highlight.ts";

const ASKED = "?coloured";

/** `import source from "./example.py?coloured"` is `{ code, html }`: what is on the first page needs no highlighter there. */
export function coloured(): Plugin {
  return {
    name: "coloured",
    enforce: "pre",
    load(id) {
      if (!id.endsWith(`.py${ASKED}`)) return;
      const path = id.slice(0, -ASKED.length);
      this.addWatchFile(path);
      const code = readFileSync(path, "utf8");
      return `export default ${JSON.stringify({ code, html: highlight(code, "python") })}`;
    },
  };
}
