/** Gives the editor what is known of `platform_sdk` and of the models. */
import type { languages, Position, editor as monacoEditor } from "monaco-editor/editor";
import type { monaco as Monaco } from "../monaco";
import { type Kind, type Model, suggestAt } from "./completion";
import { helpAt, signatureAt } from "./help";

/** @param models those that are known now; asked for whenever they are needed. */
export function registerLanguage(monaco: typeof Monaco, models: () => readonly Model[]): void {
  const range = (model: monacoEditor.ITextModel, from: number, to: number) =>
    monaco.Range.fromPositions(model.getPositionAt(from), model.getPositionAt(to));
  const at = (model: monacoEditor.ITextModel, position: Position) => ({ source: text(model), offset: model.getOffsetAt(position) });
  const markdown = (value: string) => ({ value, isTrusted: false, supportHtml: false });

  const kinds: Record<Kind, languages.CompletionItemKind> = {
    function: monaco.languages.CompletionItemKind.Function,
    class: monaco.languages.CompletionItemKind.Class,
    constant: monaco.languages.CompletionItemKind.Constant,
    attribute: monaco.languages.CompletionItemKind.Field,
    module: monaco.languages.CompletionItemKind.Module,
    model: monaco.languages.CompletionItemKind.Value,
    argument: monaco.languages.CompletionItemKind.Property,
    keyword: monaco.languages.CompletionItemKind.Keyword,
    word: monaco.languages.CompletionItemKind.Text,
  };

  monaco.languages.registerCompletionItemProvider("python", {
    triggerCharacters: [".", '"', "'", "("],
    provideCompletionItems(model, position, context) {
      const { source, offset } = at(model, position);
      let found = suggestAt(source, offset, models());
      // An opened bracket alone asks for what belongs into it, not for every word of the language.
      if (context.triggerCharacter === "(") found = found.filter((one) => one.rank <= 2 && (one.kind === "model" || one.kind === "argument"));
      return {
        suggestions: found.map((one) => ({
          label: one.kind === "model" ? { label: one.label, description: one.detail } : one.label,
          kind: kinds[one.kind],
          insertText: one.insert,
          insertTextRules: one.insert.includes("$0") ? monaco.languages.CompletionItemInsertTextRule.InsertAsSnippet : undefined,
          detail: one.detail,
          documentation: one.documentation ? markdown(one.documentation) : undefined,
          filterText: one.label,
          sortText: `${one.rank}${one.label.toLowerCase()}`,
          range: range(model, one.from, one.to),
          additionalTextEdits: one.with ? [{ range: range(model, one.with.offset, one.with.offset), text: one.with.text }] : undefined,
          command: one.insert.endsWith("($0)") ? { id: "editor.action.triggerParameterHints", title: "" } : undefined,
        })),
      };
    },
  });

  monaco.languages.registerHoverProvider("python", {
    provideHover(model, position) {
      const { source, offset } = at(model, position);
      const help = helpAt(source, offset, models());
      if (!help) return null;
      const contents = [help.code && `\`\`\`python\n${help.code}\n\`\`\``, help.text].filter(Boolean).map(markdown);
      return { contents, range: range(model, help.from, help.to) };
    },
  });

  monaco.languages.registerSignatureHelpProvider("python", {
    signatureHelpTriggerCharacters: ["(", ","],
    signatureHelpRetriggerCharacters: [")", "="],
    provideSignatureHelp(model, position) {
      const { source, offset } = at(model, position);
      const help = signatureAt(source, offset);
      if (!help) return null;
      const parameters = help.parameters.map((label, i) => ({
        label,
        documentation: markdown(help.called.parameters?.[i]?.documentation ?? ""),
      }));
      const signature = { label: help.signature, parameters, documentation: markdown(help.called.documentation) };
      return { value: { signatures: [signature], activeSignature: 0, activeParameter: help.active }, dispose() {} };
    },
  });
}

/** Offsets of the model count its own line ends. */
const text = (model: monacoEditor.ITextModel) => model.getValue();
