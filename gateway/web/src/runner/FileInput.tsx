import { File as FileIcon, Upload, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { IconButton } from "../ui/Button";
import { bytes } from "../ui/format";

/** A whole file of any type: chosen, dropped or pasted; images are shown. */
export function FileInput({ id, file, onChange }: { id: string; file: File | null; onChange: (file: File | null) => void }) {
  const [over, setOver] = useState(false);
  const picker = useRef<HTMLInputElement>(null);
  const take = (files: FileList | null | undefined) => {
    const first = files?.[0];
    if (first) onChange(first);
  };
  return (
    <div
      className="file-input"
      data-over={over || undefined}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        take(event.dataTransfer.files);
      }}
      onPaste={(event) => take(event.clipboardData.files)}
    >
      <input
        ref={picker}
        id={id}
        type="file"
        className="hidden-visually"
        onChange={(event) => {
          take(event.target.files);
          // The same file again is a change too.
          event.target.value = "";
        }}
      />
      {file ? (
        <div className="file-chosen">
          <Preview file={file} />
          <div className="file-about">
            <span className="file-name">{file.name}</span>
            <span className="muted small">
              {bytes(file.size)}
              {file.type && ` · ${file.type}`}
            </span>
          </div>
          <span className="spacer" />
          <IconButton label={`Remove ${file.name}`} onClick={() => onChange(null)}>
            <X size={16} aria-hidden />
          </IconButton>
        </div>
      ) : (
        <label htmlFor={id} className="file-drop">
          <Upload size={22} aria-hidden />
          <span>
            <span className="file-link">Choose a file</span> or drop it here
          </span>
        </label>
      )}
    </div>
  );
}

function Preview({ file }: { file: File }) {
  const [address, setAddress] = useState<string>();
  const [broken, setBroken] = useState(false);
  useEffect(() => {
    setBroken(false);
    if (!file.type.startsWith("image/")) {
      setAddress(undefined);
      return;
    }
    const made = URL.createObjectURL(file);
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  if (!address || broken) return <FileIcon className="file-icon" size={28} aria-hidden />;
  return <img className="file-preview" src={address} alt={`Preview of ${file.name}`} onError={() => setBroken(true)} />;
}
