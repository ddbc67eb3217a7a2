import { useQuery } from "@tanstack/react-query";
import { Rocket, Undo2 } from "lucide-react";
import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { segment } from "../api/client";
import { modelsQuery } from "../api/queries";
import type { PluginCode, Uploaded } from "../api/types";
import { emptyInput, type RunInput } from "../runner/input";
import { RunSession } from "../runner/session";
import { announce } from "../ui/announce";
import { Button } from "../ui/Button";
import { MOD, useShortcut } from "../ui/keys";
import { Page } from "../ui/Page";
import { CodeEditor } from "./CodeEditor";
import { Compare } from "./Compare";
import { type Details, detailsOf, differences, EMPTY_DETAILS } from "./details";
import { UNNAMED, type Draft } from "./drafts/store";
import { drafts, useDraft } from "./drafts/useDraft";
import type { EditorHandle } from "./editing";
import { importOf } from "./language/imports";
import { marksOf } from "./markers";
import { ArchiveNotice, NewerRevision, TabConflict } from "./Notices";
import { descriptionFrom, nameFrom } from "./names";
import { type Pane, Panes } from "./Panes";
import { Problems } from "./Problems";
import { Reference } from "./Reference";
import { TemplatesMenu } from "./TemplatesMenu";
import { FIRST, type Template } from "./templates";
import { TryButton, TryInput, TryOutput } from "./TryPane";
import { failedLine, tryDraft } from "./trying";
import { useChecks } from "./useChecks";
import "../runner/runner.css";
import "./builder.css";

const DeployDialog = lazy(() => import("./deploy/DeployDialog").then(({ DeployDialog }) => ({ default: DeployDialog })));

const KEPT = { nothing: "", saving: "Keeping…", kept: "Kept in this browser", "too-large": "Too large to be kept in this browser" };

/** Write a plugin, try it, deploy it.
 *
 * @param plugin what is deployed under the name; null for a new one.
 * @param begin what a new one begins with.
 */
export function Builder({ plugin, begin = FIRST }: { plugin: PluginCode | null; begin?: Template }) {
  const files = plugin?.files?.length ?? 0;
  const readOnly = files > 1;
  const deployed = useMemo(() => (plugin ? { source: plugin.code, input: "", details: detailsOf(plugin) } : null), [plugin]);
  const [started] = useState(() => start(plugin, begin, readOnly));
  const [details, setDetails] = useState<Details>(started.work.details);
  const [input, setInput] = useState<RunInput>({ ...emptyInput(started.work.details.inputType), text: started.work.input });
  const [name, setName] = useState(plugin?.name ?? "");
  const [pane, setPane] = useState<Pane>("source");
  const [tried, setTried] = useState(false);
  const [deploying, setDeploying] = useState<string | null>(null);
  const [comparing, setComparing] = useState<{ title: string; about: string; before: string; after: string } | null>(null);
  const [edited, setEdited] = useState(plugin !== null && started.work.source !== plugin.code);
  /** What was deployed from here, until the gateway's list says so too. */
  const [expected, setExpected] = useState<Uploaded | null>(null);
  const editor = useRef<EditorHandle>(null);
  const [session] = useState(() => new RunSession());
  const { checker, checks } = useChecks();
  const navigate = useNavigate();
  const deployedAs = useRef<string | null>(null);
  useQuery(modelsQuery);
  useEffect(() => () => session.cancel(), [session]);

  const show = (source: string) => editor.current?.setText(source);
  const draft = useDraft(plugin?.name ?? UNNAMED, started.work, started.base, deployed, (theirs: Draft) => {
    show(theirs.source);
    setDetails(theirs.details);
    setInput((now) => ({ ...now, text: theirs.input }));
    announce("This draft was changed in another tab; undo brings yours back");
  });
  const base = draft.base();
  const dirty = edited || (deployed !== null && differences(deployed.details, details).length > 0);
  const newer = plugin !== null && base !== null && plugin.revision !== base && expected === null ? plugin : null;
  useEffect(() => {
    if (expected && plugin?.revision === expected.revision) setExpected(null);
  }, [expected, plugin]);
  useEffect(() => {
    // Nothing was changed here, so there is nothing to be asked.
    if (!newer || dirty) return;
    draft.rebase(newer.revision);
    show(newer.code);
    changeDetails(detailsOf(newer));
    announce(`${newer.name} was deployed anew; this is it`);
  });

  const onChange = useCallback(
    (source: string) => {
      draft.update({ source });
      checker.update(source);
      setEdited(plugin !== null && source !== plugin.code);
    },
    [draft.update, checker, plugin],
  );
  const changeDetails = (next: Details) => {
    setDetails(next);
    draft.update({ details: next });
    if (next.inputType !== details.inputType) setInput((now) => ({ ...now, as: next.inputType }));
  };
  const changeInput = (next: RunInput) => {
    setInput(next);
    if (next.text !== input.text) draft.update({ input: next.text });
  };
  const goTo = (line: number, column?: number) => {
    setPane("source");
    setDeploying(null);
    // After a dialog has given the focus back.
    requestAnimationFrame(() => editor.current?.goTo(line, column));
  };
  const run = async () => {
    const source = editor.current?.text();
    if (source === undefined || readOnly || session.current().status === "running") return;
    setTried(true);
    editor.current?.markFailure(null);
    setPane(input.as === "file" && !input.file ? "input" : "output");
    const outcome = await tryDraft(session, source, input, details);
    if (outcome === null) setPane("input");
    else if (!outcome.success) editor.current?.markFailure(failedLine(outcome.error));
  };
  const openDeploy = () => {
    if (readOnly || !editor.current) return;
    const source = editor.current.text();
    const said = descriptionFrom(source);
    if (!details.description && said) changeDetails({ ...details, description: said });
    if (!name && said) setName(nameFrom(said));
    setDeploying(source);
  };
  const begun = (source: string, more: Partial<{ details: Details; input: string; as: RunInput["as"]; what: string }>) => {
    show(source);
    if (more.details) changeDetails(more.details);
    if (more.input !== undefined) changeInput({ as: more.as ?? input.as, text: more.input, file: null });
    setPane("source");
    editor.current?.focus();
    announce(`${more.what ?? "Opened"}; undo brings back what was there`);
  };
  const fromTemplate = (template: Template) =>
    begun(template.source, {
      details: { ...details, description: descriptionFrom(template.source), inputType: template.inputType, hint: template.hint },
      input: template.sample,
      as: template.inputType,
      what: template.title,
    });
  const takeDeployed = (from: PluginCode) => {
    draft.rebase(from.revision);
    show(from.code);
    changeDetails(detailsOf(from));
    editor.current?.focus();
    announce("This is what is deployed; undo brings the draft back");
  };
  const insert = (text: string, importing: string | null) => {
    const handle = editor.current;
    if (!handle) return;
    const needed = importing === null ? null : importOf(handle.text(), importing);
    handle.insert(text, needed);
    setPane("source");
  };

  const mark = useCallback((handle: EditorHandle | null) => handle?.mark(marksOf(checks.problems, handle.lines())), [checks.problems]);
  useEffect(() => mark(editor.current), [mark]);
  const dialogOpen = deploying !== null || comparing !== null;
  useShortcut("mod+s", openDeploy, !dialogOpen);
  useShortcut("mod+enter", () => void run(), !dialogOpen);

  const title = plugin ? `Edit ${plugin.name}` : "New plugin";
  return (
    <Page
      wide
      title={title}
      heading={plugin ? plugin.name : "New plugin"}
      actions={
        !readOnly && (
          <>
            <span className="muted small builder-kept" role="status" data-kept={draft.kept} data-conflict={draft.conflict !== null || undefined}>
              {draft.conflict ? "Not kept: choose below" : KEPT[draft.kept]}
            </span>
            {plugin && dirty && (
              <Button small kind="quiet" onClick={() => takeDeployed(plugin)}>
                <Undo2 size={15} aria-hidden /> Discard changes
              </Button>
            )}
            <Button kind="primary" onClick={openDeploy} title={`${MOD} S`}>
              <Rocket size={15} aria-hidden /> Deploy…
            </Button>
          </>
        )
      }
    >
      {draft.conflict && (
        <TabConflict
          savedAt={draft.conflict.savedAt}
          onTheirs={() => draft.conflict && draft.takeTheirs(draft.conflict)}
          onMine={draft.keepMine}
          onCompare={() =>
            setComparing({
              title: "Two drafts",
              about: "At the left the other tab's, at the right this one's.",
              before: draft.conflict?.source ?? "",
              after: editor.current?.text() ?? "",
            })
          }
        />
      )}
      {newer && dirty && !draft.conflict && (
        <NewerRevision
          name={newer.name}
          revision={newer.revision}
          onTake={() => takeDeployed(newer)}
          onKeep={() => {
            draft.rebase(newer.revision);
            draft.update({});
          }}
          onCompare={() =>
            setComparing({
              title: `${newer.name}: deployed and draft`,
              about: "At the left what is deployed, at the right the draft.",
              before: newer.code,
              after: editor.current?.text() ?? "",
            })
          }
        />
      )}
      {readOnly && <ArchiveNotice files={files} />}
      <Panes
        pane={pane}
        onPane={setPane}
        source={
          <section className="source card" aria-label="Source">
            <div className="source-bar">
              <span className="mono source-name">{plugin?.name ?? (name || "plugin")}.py</span>
              <span className="spacer" />
              {!readOnly && <TemplatesMenu onTemplate={fromTemplate} onFile={(file, source) => begun(source, { what: file })} />}
              {!readOnly && (
                <span className="source-try">
                  <TryButton small session={session} onTry={() => void run()} />
                </span>
              )}
            </div>
            <CodeEditor
              ref={editor}
              text={started.work.source}
              label={`Source of ${plugin?.name ?? "the new plugin"}. Tab indents; ${MOD} M lets Tab leave the editor. F1 lists commands.`}
              readOnly={readOnly}
              onChange={onChange}
              onCommand={(command) => (command === "run" ? void run() : openDeploy())}
              onReady={(handle) => {
                checker.update(handle.text(), true);
                mark(handle);
                if (matchMedia("(pointer: fine)").matches) handle.focus();
              }}
            />
            <Problems checks={checks} onLine={goTo} />
          </section>
        }
        input={
          <TryInput
            session={session}
            input={input}
            onInput={changeInput}
            hint={details.hint}
            limitBytes={details.limits.input_bytes}
            tried={tried}
            onTry={readOnly ? null : () => void run()}
          />
        }
        output={<TryOutput session={session} name={name || "draft"} onTry={() => void run()} onLine={goTo} />}
        reference={<Reference onInsert={insert} />}
      />
      {comparing && <Compare {...comparing} onClose={() => setComparing(null)} />}
      {deploying !== null && (
        <Suspense>
          <DeployDialog
            source={deploying}
            plugin={plugin?.name ?? null}
            name={name}
            base={base}
            details={details}
            problems={checks.problems}
            onName={setName}
            onDetails={changeDetails}
            onLine={goTo}
            onClose={() => {
              setDeploying(null);
              if (deployedAs.current !== null && deployedAs.current !== plugin?.name) navigate(`/builder/${segment(deployedAs.current)}`);
            }}
            onDeployed={(uploaded) => {
              deployedAs.current = uploaded.name;
              draft.forget();
              setEdited(false);
              if (uploaded.name !== plugin?.name) return;
              draft.rebase(uploaded.revision);
              setExpected(uploaded);
            }}
          />
        </Suspense>
      )}
    </Page>
  );
}

/** The draft that this browser kept, or what there is without one. */
function start(plugin: PluginCode | null, begin: Template, readOnly: boolean) {
  const kept = readOnly ? null : drafts.read(plugin?.name ?? UNNAMED);
  if (kept) return { work: { source: kept.source, input: kept.input, details: kept.details }, base: kept.base };
  if (plugin) return { work: { source: plugin.code, input: "", details: detailsOf(plugin) }, base: plugin.revision };
  const details = { ...EMPTY_DETAILS, inputType: begin.inputType, hint: begin.hint };
  return { work: { source: begin.source, input: begin.sample, details }, base: null };
}
