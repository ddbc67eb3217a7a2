import { type Ref, useEffect, useImperativeHandle, useRef, useState } from "react";
import { Failure, Loading } from "../ui/states";
import type { EditorHandle, EditorOptions } from "./editing";

type Props = EditorOptions & {
  ref?: Ref<EditorHandle | null>;
  /** The editor is there and can be typed in. */
  onReady?: (editor: EditorHandle) => void;
};

/** The source, in an editor that is fetched when it is first shown.
 *
 * `text` is what it begins with; later changes of it are not followed, because an editor that is told its own text late
 * loses what was typed meanwhile. Give it another `key` for another source.
 */
export function CodeEditor({ ref, onReady, ...options }: Props) {
  const element = useRef<HTMLDivElement>(null);
  const [editor, setEditor] = useState<EditorHandle | null>(null);
  const [failed, setFailed] = useState<unknown>(null);
  const [attempt, setAttempt] = useState(0);
  const latest = useRef({ options, onReady });
  latest.current = { options, onReady };
  useImperativeHandle(ref, () => editor as EditorHandle, [editor]);

  useEffect(() => {
    let gone = false;
    let made: EditorHandle | null = null;
    import("./editing")
      .then(({ createEditor }) => {
        if (gone || !element.current) return;
        made = createEditor(element.current, {
          ...latest.current.options,
          onChange: (text) => latest.current.options.onChange(text),
          onCommand: (command) => latest.current.options.onCommand(command),
        });
        setEditor(made);
        latest.current.onReady?.(made);
      })
      .catch((error: unknown) => !gone && setFailed(error));
    return () => {
      gone = true;
      made?.dispose();
      setEditor(null);
    };
  }, [attempt]);

  const retry = () => {
    setFailed(null);
    setAttempt((count) => count + 1);
  };
  return (
    <div className="code-editor" data-ready={editor !== null || undefined}>
      {failed ? <Failure error={failed} retry={retry} /> : !editor && <Loading what="editor" height={200} />}
      <div className="code-editor-place" ref={element} />
    </div>
  );
}
