import { useEffect, useState } from "react";
import { bytes } from "../ui/format";
import type { Kind } from "./kinds";
import type { RunSession } from "./session";

/** An image that a plugin sent. In an `img` nothing of it can run, not even a script inside SVG. */
export function ImageView({ session, text, kind }: { session: RunSession; text: string; kind: Kind }) {
  const [address, setAddress] = useState<string>();
  const [size, setSize] = useState("");
  const [broken, setBroken] = useState(false);
  useEffect(() => {
    setBroken(false);
    if (!kind.mime.startsWith("image/")) {
      setAddress(text.trim());
      return;
    }
    const made = URL.createObjectURL(session.bytes(kind.mime));
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [session, text, kind.mime]);
  if (broken) return <p className="muted">The image is broken. Look at its bytes, or download it.</p>;
  return (
    <figure className="image-view">
      {address && (
        <img
          src={address}
          alt="What the plugin sent"
          onError={() => setBroken(true)}
          onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) =>
            setSize(naturalWidth ? `${naturalWidth} × ${naturalHeight} pixels, ` : "")
          }
        />
      )}
      <figcaption className="muted small">
        {size}
        {bytes(session.bytes().size)}
      </figcaption>
    </figure>
  );
}
