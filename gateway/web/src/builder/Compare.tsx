import { Button } from "../ui/Button";
import { Modal } from "../ui/Modal";
import { DiffView } from "./deploy/DiffView";

/** Two sources beside each other, before one of them is given up. */
export function Compare({ title, about, before, after, onClose }: { title: string; about: string; before: string; after: string; onClose: () => void }) {
  return (
    <Modal open onOpenChange={onClose} title={title} about={about} wide>
      {before === after ? <p>The sources are the same.</p> : <DiffView before={before} after={after} label={title} />}
      <div className="modal-actions">
        <Button kind="primary" onClick={onClose}>
          Close
        </Button>
      </div>
    </Modal>
  );
}
