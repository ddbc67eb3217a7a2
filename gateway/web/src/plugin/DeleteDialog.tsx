import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { getJson, segment } from "../api/client";
import { pluginsQuery, queryClient } from "../api/queries";
import { announce } from "../ui/announce";
import { Button } from "../ui/Button";
import { Modal } from "../ui/Modal";
import { Failure } from "../ui/states";

export function DeleteDialog({
  name,
  open,
  onOpenChange,
}: {
  name: string;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const navigate = useNavigate();
  const remove = useMutation({
    mutationFn: () => getJson(`/api/plugins/${segment(name)}`, { method: "DELETE" }),
    onSuccess: async () => {
      await navigate("/plugins");
      announce(`${name} is deleted`);
      // Only the list: asking for what is gone would fail.
      await queryClient.invalidateQueries(pluginsQuery);
      queryClient.removeQueries({ predicate: ({ queryKey }) => queryKey[0] === "plugins" && queryKey[2] === name });
    },
  });
  return (
    <Modal
      open={open}
      onOpenChange={onOpenChange}
      title={`Delete ${name}?`}
      about="It goes with all its revisions, and calls to it fail from now on. This can't be undone."
    >
      {remove.error && <Failure error={remove.error} />}
      <div className="modal-actions">
        <Button onClick={() => onOpenChange(false)}>Keep it</Button>
        <Button kind="danger" busy={remove.isPending} onClick={() => remove.mutate()}>
          Delete {name}
        </Button>
      </div>
    </Modal>
  );
}
