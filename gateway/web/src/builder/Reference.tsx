import { useQuery } from "@tanstack/react-query";
import { CornerDownLeft } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { modelsQuery } from "../api/queries";
import { IconButton } from "../ui/Button";
import { Empty, Failure, Loading } from "../ui/states";
import { helpOfModel, type Model } from "./language/completion";
import { SDK_NAMES, type SdkName } from "./language/sdk";

const ORDER = ["function", "class", "constant"];
const SORTED = SDK_NAMES.toSorted((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));

const Markdown = lazy(() => import("../ui/Markdown"));

/** What a plugin can use: the SDK's names and the models, each to be read about and put into the source. */
export function Reference({ onInsert }: { onInsert: (text: string, importing: string | null) => void }) {
  const { data, error, refetch } = useQuery(modelsQuery);
  return (
    <div className="reference card" role="region" aria-label="Reference, scrolls" tabIndex={0}>
      <h2>platform_sdk</h2>
      <ul className="reference-list">
        {SORTED.map((name) => (
          <li key={name.name}>
            <Entry title={callOf(name)} insert={`Insert ${name.name}`} onInsert={() => onInsert(callOf(name), name.name)}>
              {helpOf(name)}
            </Entry>
          </li>
        ))}
      </ul>
      <h2>Models</h2>
      {error ? (
        <Failure error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Loading what="models" />
      ) : data.models.length === 0 ? (
        <Empty title="No models">Plugins run without them; calls of models fail.</Empty>
      ) : (
        <ul className="reference-list">
          {data.models.map((model) => (
            <li key={model.name}>
              <Entry
                title={model.name}
                badge={model.available ? null : "not available"}
                insert={`Insert ${model.name}`}
                onInsert={() => onInsert(JSON.stringify(model.name), null)}
              >
                {modelHelp(model)}
              </Entry>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function Entry({ title, badge, insert, onInsert, children }: { title: string; badge?: string | null; insert: string; onInsert: () => void; children: string }) {
  const [open, setOpen] = useState(false);
  return (
    <div className="reference-entry">
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          <code>{title}</code> {badge && <span className="badge badge-warn">{badge}</span>}
        </summary>
        {open && (
          <Suspense fallback={<p className="note-detail">{children}</p>}>
            <Markdown text={children} />
          </Suspense>
        )}
      </details>
      <IconButton small label={insert} onClick={onInsert}>
        <CornerDownLeft size={15} aria-hidden />
      </IconButton>
    </div>
  );
}

const modelHelp = (model: Model) => `${model.type}. ${helpOfModel(model)}`;

function helpOf(name: SdkName): string {
  const list = (title: string, items: string[]) => (items.length ? `\n\n**${title}**\n\n${items.join("\n")}` : "");
  const parameters = (name.parameters ?? []).filter((parameter) => parameter.documentation);
  return (
    `\`\`\`python\n${name.signature}\n\`\`\`\n\n${name.documentation}` +
    list("Arguments", parameters.map(({ name, documentation }) => `- \`${name}\`: ${documentation}`)) +
    list("Members", name.members.map(({ signature, documentation }) => `- \`${signature}\`${documentation ? `: ${documentation}` : ""}`))
  );
}

/** A call with a place for each argument that is needed. */
function callOf(name: SdkName): string {
  if (name.parameters === null) return name.name;
  const needed = name.parameters.filter((parameter) => parameter.default === null && !parameter.label.startsWith("*"));
  return `${name.name}(${needed.map((parameter) => parameter.name).join(", ")})`;
}
