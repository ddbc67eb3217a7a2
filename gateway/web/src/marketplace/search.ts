import type { PluginSummary } from "../api/types";

/** Plugins that have all the words, those with a word in the name first, else in the order given. */
export function search(plugins: readonly PluginSummary[], words: string): PluginSummary[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  if (wanted.length === 0) return [...plugins];
  const ranked: [rank: number, plugin: PluginSummary][] = [];
  for (const plugin of plugins) {
    const name = plugin.name.toLowerCase();
    const text = `${name}\n${plugin.description}\n${plugin.input_hint}`.toLowerCase();
    if (!wanted.every((word) => text.includes(word))) continue;
    const first = wanted[0] ?? "";
    ranked.push([name === first ? 0 : name.startsWith(first) ? 1 : wanted.some((word) => name.includes(word)) ? 2 : 3, plugin]);
  }
  return ranked.sort(([a], [b]) => a - b).map(([, plugin]) => plugin);
}

/** The first words of a Markdown text, without its marks. */
export function plainText(markdown: string, longest = 300): string {
  return markdown
    .slice(0, longest * 2)
    .replace(/```[\s\S]*?(```|$)/g, " ")
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/^\s{0,3}(#{1,6}|>|[-*+]|\d+[.)])\s+/gm, "")
    .replace(/[*_`~]{1,3}(\S[^*_`~]*)[*_`~]{1,3}/g, "$1")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, longest);
}
