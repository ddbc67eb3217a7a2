/** Markdown of strangers: no HTML of theirs, no images from elsewhere, links that give nothing away. Loaded lazily. */
import DOMPurify from "dompurify";
import MarkdownIt from "markdown-it";
import { useMemo } from "react";
import "./markdown.css";

const renderer = new MarkdownIt({ html: false, linkify: true, breaks: false });
// An image would tell its host who reads; the link to it says what it is.
renderer.renderer.rules.image = (tokens, i) => {
  const token = tokens[i];
  const source = String(token?.attrGet("src") ?? "");
  const escape = renderer.utils.escapeHtml;
  return `<a href="${escape(source)}">${escape(token?.content || source)}</a>`;
};

const ALLOWED = {
  ALLOWED_TAGS: [
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s",
    "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
  ],
  ALLOWED_ATTR: ["href", "start"],
  ALLOWED_URI_REGEXP: /^(https?:|mailto:)/i,
};

/** HTML that is safe to insert. */
export function renderMarkdown(text: string): string {
  const fragment = DOMPurify.sanitize(renderer.render(text), { ...ALLOWED, RETURN_DOM_FRAGMENT: true });
  for (const link of fragment.querySelectorAll("a")) {
    link.setAttribute("target", "_blank");
    link.setAttribute("rel", "noopener noreferrer nofollow");
  }
  // Wide tables scroll, which must work by keyboard too.
  for (const table of fragment.querySelectorAll("table")) table.setAttribute("tabindex", "0");
  const holder = document.createElement("div");
  holder.append(fragment);
  return holder.innerHTML;
}

export default function Markdown({ text }: { text: string }) {
  const html = useMemo(() => renderMarkdown(text), [text]);
  return <div className="markdown" dangerouslySetInnerHTML={{ __html: html }} />;
}
