/** Names that plugins can have. */

export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** What is wrong with a name, as a sentence; null if nothing is. */
export function problemOfName(name: string): string | null {
  if (NAME_PATTERN.test(name)) return null;
  if (!name) return "A plugin needs a name.";
  if (name.length > 64) return `The name has ${name.length} characters, at most 64 are allowed.`;
  if (!/^[A-Za-z0-9]/.test(name)) return "The name must begin with a letter or a digit.";
  return "The name may have letters, digits, - and _ only.";
}

/** A name made of a title or a docstring's first words: "Says hello." → "says_hello". */
export function nameFrom(text: string): string {
  return text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "")
    .split("_")
    .slice(0, 4)
    .join("_")
    .slice(0, 40);
}

/** The first line of a source's docstring, which describes it; "" if it has none. */
export function descriptionFrom(source: string): string {
  const found = /^(?:[ \t]*(?:#[^\n]*)?\n)*[rR]?("""|'''|"|')([\s\S]*?)\1/.exec(source.slice(0, 20_000));
  return found?.[2]?.trim().split("\n")[0]?.trim() ?? "";
}
