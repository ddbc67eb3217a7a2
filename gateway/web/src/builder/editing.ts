/** One editor on the page: made of an element, spoken to by a handle. Its text belongs to it, not to React. */
import { queryClient, modelsQuery } from "../api/queries";
import { IS_MAC } from "../ui/keys";
import type { Insertion } from "./language/imports";
import { registerLanguage } from "./language/register";
import type { Mark } from "./markers";
import { monaco } from "./monaco";
import { followTheme } from "./theme";

const OWNER = "wasmforge";
const COMPARED_WITHIN_MS = 10_000;

registerLanguage(monaco, () => queryClient.getQueryData(modelsQuery.queryKey)?.models ?? []);
followTheme(monaco);

export interface EditorHandle {
  text(): string;
  /** Replace everything; can be undone. */
  setText(text: string): void;
  /** Write at the cursor, and an import with it; can be undone in one. */
  insert(text: string, along: Insertion | null): void;
  mark(marks: readonly Mark[]): void;
  /** Show where a run failed, or nothing. */
  markFailure(line: number | null): void;
  /** Put the cursor on a line and look at it. */
  goTo(line: number, column?: number): void;
  focus(): void;
  lines(): { getLineCount(): number; getLineContent(line: number): string };
  dispose(): void;
}

export interface EditorOptions {
  text: string;
  label: string;
  readOnly: boolean;
  /** Called after every change with the whole text. */
  onChange: (text: string) => void;
  onCommand: (command: "run" | "deploy") => void;
}

const SHARED = {
  automaticLayout: true,
  fontSize: 13.5,
  lineHeight: 21,
  minimap: { enabled: false },
  scrollBeyondLastLine: false,
  padding: { top: 10, bottom: 10 },
  lineNumbersMinChars: 3,
  overviewRulerLanes: 2,
  unusualLineTerminators: "off",
  renderLineHighlightOnlyWhenFocus: true,
  // Boxes that would be cut off by a narrow pane lie over the page instead.
  fixedOverflowWidgets: true,
  scrollbar: { alwaysConsumeMouseWheel: false, verticalScrollbarSize: 12, horizontalScrollbarSize: 12 },
} as const;

const font = () => getComputedStyle(document.documentElement).getPropertyValue("--mono").trim();

export function createEditor(element: HTMLElement, options: EditorOptions): EditorHandle {
  const model = monaco.editor.createModel(options.text, "python");
  model.updateOptions({ tabSize: 4, insertSpaces: true });
  const editor = monaco.editor.create(element, {
    ...SHARED,
    model,
    fontFamily: font(),
    readOnly: options.readOnly,
    readOnlyMessage: { value: "This can only be read here." },
    ariaLabel: options.label,
    quickSuggestions: { other: true, strings: true, comments: false },
    wordBasedSuggestions: "off",
    suggest: { showStatusBar: false, preview: false },
    wordWrap: element.clientWidth < 560 ? "on" : "off",
  });
  const failure = editor.createDecorationsCollection();
  const changed = model.onDidChangeContent(() => {
    failure.clear();
    options.onChange(model.getValue());
  });
  const { KeyMod, KeyCode } = monaco;
  const command = (id: string, label: string, keybinding: number, what: "run" | "deploy") =>
    editor.addAction({ id, label, keybindings: [keybinding], run: () => options.onCommand(what) });
  command("wasmforge.run", "Try this draft", KeyMod.CtrlCmd | KeyCode.Enter, "run");
  command("wasmforge.deploy", "Deploy…", KeyMod.CtrlCmd | KeyCode.KeyS, "deploy");

  // The page's search has the keys that begin many of the editor's chords.
  const onKey = (event: KeyboardEvent) => {
    if (event.key.toLowerCase() !== "k" || !(IS_MAC ? event.metaKey : event.ctrlKey) || event.shiftKey || event.altKey) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const { key, ctrlKey, metaKey } = event;
    window.dispatchEvent(new KeyboardEvent("keydown", { key, ctrlKey, metaKey, cancelable: true }));
  };
  element.addEventListener("keydown", onKey, { capture: true });

  return {
    text: () => model.getValue(),
    setText(text) {
      editor.pushUndoStop();
      editor.executeEdits(OWNER, [{ range: model.getFullModelRange(), text }], () => [new monaco.Selection(1, 1, 1, 1)]);
      editor.pushUndoStop();
      editor.setScrollPosition({ scrollTop: 0, scrollLeft: 0 });
    },
    insert(text, along) {
      const edits = [{ range: editor.getSelection() ?? new monaco.Range(1, 1, 1, 1), text, forceMoveMarkers: true }];
      if (along) {
        const at = model.getPositionAt(along.offset);
        edits.unshift({ range: monaco.Range.fromPositions(at, at), text: along.text, forceMoveMarkers: true });
      }
      editor.pushUndoStop();
      editor.executeEdits(OWNER, edits);
      editor.pushUndoStop();
      editor.focus();
    },
    mark(marks) {
      const { Error, Warning } = monaco.MarkerSeverity;
      const severityOf = (mark: Mark) => (mark.severity === "error" ? Error : Warning);
      monaco.editor.setModelMarkers(model, OWNER, marks.map((mark) => ({ ...mark, severity: severityOf(mark) })));
    },
    markFailure(line) {
      if (line === null || line < 1 || line > model.getLineCount()) return failure.clear();
      const options = { isWholeLine: true, className: "failed-line", linesDecorationsClassName: "failed-line-edge" };
      failure.set([{ range: new monaco.Range(line, 1, line, 1), options }]);
    },
    goTo(line, column) {
      const lineNumber = Math.min(Math.max(1, line), model.getLineCount());
      editor.setPosition({ lineNumber, column: column ?? model.getLineFirstNonWhitespaceColumn(lineNumber) });
      editor.revealLineInCenterIfOutsideViewport(lineNumber);
      editor.focus();
    },
    focus: () => editor.focus(),
    lines: () => model,
    dispose() {
      element.removeEventListener("keydown", onKey, { capture: true });
      changed.dispose();
      editor.dispose();
      model.dispose();
    },
  };
}

/** The difference of two sources, to be read. Returns what takes it away again. */
export function createDiff(element: HTMLElement, before: string, after: string, label: string): () => void {
  const original = monaco.editor.createModel(before, "python");
  const modified = monaco.editor.createModel(after, "python");
  const diff = monaco.editor.createDiffEditor(element, {
    ...SHARED,
    fontFamily: font(),
    readOnly: true,
    originalEditable: false,
    renderSideBySide: element.clientWidth >= 760,
    useInlineViewWhenSpaceIsLimited: false,
    hideUnchangedRegions: { enabled: true, contextLineCount: 3, minimumLineCount: 4 },
    renderGutterMenu: false,
    renderOverviewRuler: false,
  });
  diff.setModel({ original, modified });
  diff.getOriginalEditor().updateOptions({ ariaLabel: `${label}: what is at the left` });
  diff.getModifiedEditor().updateOptions({ ariaLabel: `${label}: what is at the right` });
  return () => {
    diff.dispose();
    // A comparison that is under way fails loudly if what it compares is taken away.
    setTimeout(() => {
      original.dispose();
      modified.dispose();
    }, COMPARED_WITHIN_MS);
  };
}
