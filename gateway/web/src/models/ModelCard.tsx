import type { ModelDetail } from "../api/types";
import { Button } from "../ui/Button";
import { bytes, count } from "../ui/format";

export function ModelCard({ model, onAsk }: { model: ModelDetail; onAsk: () => void }) {
  const alias = model.answered_by && model.answered_by !== model.name;
  const facts = [
    model.parameter_size && `${model.parameter_size} parameters`,
    model.quantization,
    model.size_bytes !== null && bytes(model.size_bytes),
    model.context_length !== null && `${count(model.context_length)} tokens of context`,
  ].filter(Boolean);
  return (
    <li className="card model-card">
      <div className="row">
        <h2>{model.name}</h2>
        <span className="spacer" />
        {!model.available ? (
          <span className="badge">Not there</span>
        ) : model.loaded ? (
          <span className="badge badge-good" title="In memory: it answers at once">
            Loaded
          </span>
        ) : (
          <span className="badge" title="Loaded when first asked">
            Available
          </span>
        )}
      </div>
      <p className="muted model-about">{model.description || model.type}</p>
      <p className="small model-facts">
        {alias ? (
          <>
            Answered by <strong>{model.answered_by}</strong>
            <br />
          </>
        ) : null}
        <span className="muted">{facts.join(" · ")}</span>
      </p>
      <div className="row">
        {model.capabilities.map((capability) => (
          <span key={capability} className="badge">
            {capability}
          </span>
        ))}
        <span className="spacer" />
        {model.available && (
          <Button small onClick={onAsk} aria-label={`Ask ${model.name}`}>
            Ask
          </Button>
        )}
      </div>
    </li>
  );
}
