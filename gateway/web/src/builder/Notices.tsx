import { Archive, Copy, History } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "../ui/Button";
import { ago, short } from "../ui/format";

function Notice({ icon, title, children, actions }: { icon: ReactNode; title: string; children: ReactNode; actions?: ReactNode }) {
  return (
    <div className="note note-warn builder-notice" role="alert">
      {icon}
      <div className="note-body">
        <p className="note-title">{title}</p>
        <p className="muted">{children}</p>
        {actions && <div className="row">{actions}</div>}
      </div>
    </div>
  );
}

/** Two tabs, two drafts of the same: nothing is kept until one of them is chosen. */
export function TabConflict({ savedAt, onTheirs, onMine, onCompare }: { savedAt: number; onTheirs: () => void; onMine: () => void; onCompare: () => void }) {
  return (
    <Notice
      icon={<Copy size={18} aria-hidden />}
      title="Another tab changed this draft too"
      actions={
        <>
          <Button small onClick={onCompare}>
            Compare
          </Button>
          <Button small onClick={onTheirs}>
            Take the other tab's
          </Button>
          <Button small onClick={onMine}>
            Keep this one
          </Button>
        </>
      }
    >
      The other tab's is of {ago(savedAt)}. Until you choose, what you type here is not kept.
    </Notice>
  );
}

/** What is deployed is not what the draft began from any more. */
export function NewerRevision({ name, revision, onCompare, onTake, onKeep }: { name: string; revision: string; onCompare: () => void; onTake: () => void; onKeep: () => void }) {
  return (
    <Notice
      icon={<History size={18} aria-hidden />}
      title={`${name} was deployed since this draft began`}
      actions={
        <>
          <Button small onClick={onCompare}>
            Compare
          </Button>
          <Button small onClick={onTake}>
            Take what is deployed
          </Button>
          <Button small onClick={onKeep}>
            Keep the draft
          </Button>
        </>
      }
    >
      Revision <code>{short(revision)}</code> is current now. Deploying the draft would replace it.
    </Notice>
  );
}

export function ArchiveNotice({ files }: { files: number }) {
  return (
    <Notice icon={<Archive size={18} aria-hidden />} title={`This plugin is an archive of ${files} files`}>
      Its main file is shown, to be read. To change it, deploy the archive again, on the command line or through the API.
    </Notice>
  );
}
