import { CircleCheck, Rocket, TriangleAlert } from "lucide-react";
import { useState } from "react";
import { getJson, segment } from "../../api/client";
import { asApiError } from "../../api/errors";
import { pluginsChanged } from "../../api/queries";
import type { PluginCode, Uploaded } from "../../api/types";
import { Button, LinkButton } from "../../ui/Button";
import { short } from "../../ui/format";
import { Modal } from "../../ui/Modal";
import { Failure } from "../../ui/states";
import type { Problem } from "../check";
import { type Details, detailsOf, differences } from "../details";
import { problemOfName } from "../names";
import { deploy, placeIn } from "./deploy";
import { DetailsForm } from "./DetailsForm";
import { DiffView } from "./DiffView";

type Step =
  | { at: "details" }
  /** There is one of this name: what would change. `late` if it changed while this was open. */
  | { at: "review"; present: PluginCode; late: boolean }
  | { at: "done"; uploaded: Uploaded };

/** From a draft to a plugin: details, then the difference if it replaces one, then where it is. */
export function DeployDialog({
  source,
  plugin,
  name: startName,
  base,
  details,
  problems,
  onName,
  onDetails,
  onClose,
  onDeployed,
  onLine,
}: {
  source: string;
  /** What is edited; null for a new one. */
  plugin: string | null;
  /** What the name begins with. */
  name: string;
  /** The revision that the draft began from. */
  base: string | null;
  details: Details;
  problems: readonly Problem[];
  onName: (name: string) => void;
  onDetails: (details: Details) => void;
  onClose: () => void;
  onDeployed: (uploaded: Uploaded) => void;
  onLine: (line: number, column?: number) => void;
}) {
  const [step, setStep] = useState<Step>({ at: "details" });
  const [name, setName] = useState(startName);
  const [limitsWrong, setLimitsWrong] = useState(false);
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const broken = problems.find((problem) => problem.severity === "error");

  const attempt = async (work: () => Promise<void>) => {
    setBusy(true);
    setError(null);
    try {
      await work();
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  };
  const send = async (expected: string | null) => {
    const uploaded = await deploy(name, source, details, expected);
    setStep({ at: "done", uploaded });
    onDeployed(uploaded);
    void pluginsChanged();
  };
  const next = () => {
    setTried(true);
    if (busy || problemOfName(name) || limitsWrong) return;
    void attempt(async () => {
      // What is new is sent at once: should there be one of this name, the gateway says so.
      const present = name === plugin ? await presentOf(name) : null;
      if (present === null) await sendOrReview(null, name === plugin);
      else setStep({ at: "review", present, late: present.revision !== base });
    });
  };
  /** Somebody may be quicker: then what they deployed is shown, instead of being replaced unseen. */
  const sendOrReview = async (expected: string | null, late: boolean) => {
    try {
      await send(expected);
    } catch (thrown) {
      const present = asApiError(thrown).kind === "conflict" ? await presentOf(name) : null;
      if (present === null) throw thrown;
      setStep({ at: "review", present, late });
    }
  };

  const failure = error !== null && (
    <Failure error={error}>
      <JumpTo message={asApiError(error).message} onLine={onLine} />
    </Failure>
  );

  if (step.at === "done") {
    return (
      <Modal open onOpenChange={onClose} title={`${step.uploaded.name} is deployed`}>
        <p className="row" role="status">
          <CircleCheck size={18} className="good" aria-hidden />
          <span>
            Revision <code>{short(step.uploaded.revision)}</code> answers from now on.
          </span>
        </p>
        <div className="modal-actions">
          <Button onClick={onClose}>Keep editing</Button>
          <LinkButton to={`/plugins/${segment(step.uploaded.name)}`}>Its page</LinkButton>
          <LinkButton to={`/run/${segment(step.uploaded.name)}`} kind="primary">
            Run it
          </LinkButton>
        </div>
      </Modal>
    );
  }
  if (step.at === "review") {
    const { present, late } = step;
    const changes = differences(detailsOf(present), details);
    const sameSource = present.code === source;
    return (
      <Modal open onOpenChange={onClose} title={`What changes in ${name}`} wide>
        {late && (
          <div className="note note-warn" role="alert">
            <TriangleAlert size={18} aria-hidden />
            <div className="note-body">
              <p className="note-title">{name} was deployed meanwhile, perhaps from another tab</p>
              <p className="muted">At the left is what is deployed now, at the right your draft. Deploying replaces it.</p>
            </div>
          </div>
        )}
        {!late && name !== plugin && <p>There is a plugin of this name already. Deploying replaces it; its revisions are kept.</p>}
        {sameSource ? <p>The source is the same.</p> : <DiffView before={present.code} after={source} label={`Difference of ${name}`} />}
        <p className="muted">{changes.length ? `Also changes: ${changes.join(", ")}.` : "Description, input and limits stay as they are."}</p>
        {failure}
        <div className="modal-actions">
          <Button onClick={() => setStep({ at: "details" })}>Back</Button>
          <Button kind="primary" busy={busy} onClick={() => void attempt(() => sendOrReview(present.revision, true))}>
            <Rocket size={15} aria-hidden /> {busy ? "Deploying…" : "Deploy"}
          </Button>
        </div>
      </Modal>
    );
  }
  return (
    <Modal open onOpenChange={onClose} title="Deploy">
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          next();
        }}
      >
        {broken && (
          <div className="note note-warn">
            <TriangleAlert size={18} aria-hidden />
            <div className="note-body">
              <p className="note-title">The source has a problem</p>
              <p className="note-detail">
                {broken.line !== null && `line ${broken.line}: `}
                {broken.message}
              </p>
              {broken.line !== null && (
                <div className="row">
                  <Button small onClick={() => onLine(broken.line ?? 1, broken.column ?? undefined)}>
                    Go to the line
                  </Button>
                </div>
              )}
            </div>
          </div>
        )}
        <DetailsForm
          name={name}
          onName={(changed) => {
            setName(changed);
            onName(changed);
          }}
          details={details}
          onDetails={onDetails}
          onLimitsProblem={setLimitsWrong}
          tried={tried}
        />
        {failure}
        <div className="modal-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" busy={busy} onClick={(event) => (event.preventDefault(), next())}>
            <Rocket size={15} aria-hidden /> {busy ? "One moment…" : name === plugin ? "Review and deploy" : "Deploy"}
          </Button>
        </div>
      </form>
    </Modal>
  );
}

function JumpTo({ message, onLine }: { message: string; onLine: (line: number, column?: number) => void }) {
  const place = placeIn(message);
  if (!place) return null;
  return (
    <Button small onClick={() => onLine(place.line, place.column)}>
      Go to line {place.line}
    </Button>
  );
}

/** What is deployed under a name now; null if nothing is. */
async function presentOf(name: string): Promise<PluginCode | null> {
  try {
    return await getJson<PluginCode>(`/api/plugins/${segment(name)}/code`);
  } catch (error) {
    if (asApiError(error).kind === "not_found") return null;
    throw error;
  }
}
