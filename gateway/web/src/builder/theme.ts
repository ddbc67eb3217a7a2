/** The editor's colours, taken from the page's own, for light and dark. */
import type { monaco as Monaco } from "./monaco";

const DARK = "(prefers-color-scheme: dark)";
const PAIR = /^light-dark\(\s*(#[0-9a-fA-F]{3,8})\s*,\s*(#[0-9a-fA-F]{3,8})\s*\)$/;

/** Colours of a custom property in light and in dark; it is either one colour or `light-dark(…)` of two. */
export function coloursOf(value: string): { light: string; dark: string } | null {
  const trimmed = value.trim();
  if (/^#[0-9a-fA-F]{3,8}$/.test(trimmed)) return { light: whole(trimmed), dark: whole(trimmed) };
  const pair = PAIR.exec(trimmed);
  return pair ? { light: whole(pair[1] as string), dark: whole(pair[2] as string) } : null;
}

/** The editor takes no short colours. */
const whole = (colour: string) => (colour.length === 4 ? `#${[...colour.slice(1)].map((digit) => digit + digit).join("")}` : colour);

const COLOURS: Record<string, string> = {
  "editor.background": "--surface",
  "editor.foreground": "--text",
  "editorLineNumber.foreground": "--muted",
  "editorLineNumber.activeForeground": "--text",
  "editor.lineHighlightBackground": "--surface-2",
  "editorCursor.foreground": "--text",
  "editorWidget.background": "--surface",
  "editorWidget.foreground": "--text",
  "editorWidget.border": "--border",
  "editorHoverWidget.background": "--surface",
  "editorHoverWidget.border": "--border",
  "editorSuggestWidget.background": "--surface",
  "editorSuggestWidget.border": "--border",
  "editorSuggestWidget.foreground": "--text",
  "editorSuggestWidget.selectedBackground": "--accent-soft",
  "editorSuggestWidget.selectedForeground": "--text",
  "editorSuggestWidget.highlightForeground": "--accent",
  "editorSuggestWidget.focusHighlightForeground": "--accent",
  "list.hoverBackground": "--surface-2",
  "editorIndentGuide.background1": "--border",
  "editorIndentGuide.activeBackground1": "--border-strong",
  "editorError.foreground": "--danger",
  "editorWarning.foreground": "--warn",
  "input.background": "--surface",
  "input.foreground": "--text",
  "input.border": "--border-strong",
  "menu.background": "--surface",
  "menu.foreground": "--text",
  "menu.selectionBackground": "--accent-soft",
  "menu.selectionForeground": "--text",
  "menu.border": "--border",
  "diffEditor.insertedLineBackground": "--good-soft",
  "diffEditor.removedLineBackground": "--danger-soft",
  "diffEditor.insertedTextBorder": "--good",
  "diffEditor.removedTextBorder": "--danger",
  "diffEditor.unchangedRegionBackground": "--surface-2",
  "diffEditor.unchangedRegionForeground": "--text",
  ...Object.fromEntries([1, 2, 3, 4, 5, 6].map((level) => [`editorBracketHighlight.foreground${level}`, "--text"])),
  "editorBracketHighlight.unexpectedBracket.foreground": "--danger",
  focusBorder: "--accent",
};

const TOKENS: [string, string][] = [
  ["", "--text"],
  ["keyword", "--code-keyword"],
  ["string", "--code-string"],
  ["string.escape", "--code-string"],
  ["number", "--code-number"],
  ["comment", "--code-comment"],
  ["tag", "--code-name"],
  ["type", "--code-name"],
  ["delimiter", "--text"],
  ["identifier", "--text"],
];

/** Define both themes and keep to the one that the system asks for. */
export function followTheme(monaco: typeof Monaco): void {
  const style = getComputedStyle(document.documentElement);
  for (const kind of ["light", "dark"] as const) {
    const colour = (property: string) => coloursOf(style.getPropertyValue(property))?.[kind];
    // Grounds under grounds would take the contrast from the text: what changed within a line has a border instead.
    const colors: Record<string, string> = {
      "diffEditor.insertedTextBackground": "#00000000",
      "diffEditor.removedTextBackground": "#00000000",
    };
    for (const [name, property] of Object.entries(COLOURS)) {
      const found = colour(property);
      if (found) colors[name] = found;
    }
    const rules = TOKENS.flatMap(([token, property]) => {
      const found = colour(property);
      return found ? [{ token, foreground: found.slice(1, 7) }] : [];
    });
    monaco.editor.defineTheme(`wasmforge-${kind}`, { base: kind === "dark" ? "vs-dark" : "vs", inherit: true, rules, colors });
  }
  const dark = matchMedia(DARK);
  const apply = () => monaco.editor.setTheme(dark.matches ? "wasmforge-dark" : "wasmforge-light");
  dark.addEventListener("change", apply);
  apply();
}
