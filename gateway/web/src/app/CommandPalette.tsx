import { Modal } from "../ui/Modal";

export default function CommandPalette({ onClose }: { onClose: () => void }) {
  return (
    <Modal open onOpenChange={onClose} title="Search">
      …
    </Modal>
  );
}
