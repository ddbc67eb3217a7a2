import { useQuery } from "@tanstack/react-query";
import { BookOpen, Boxes, Plus } from "lucide-react";
import { Dialog } from "radix-ui";
import { type ReactNode, useId, useMemo, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { pluginsQuery } from "../api/queries";
import { search } from "../marketplace/search";
import { matches, MOD } from "../ui/keys";
import { PLACES } from "./places";
import "./palette.css";

interface Command {
  key: string;
  name: string;
  about: string;
  icon: ReactNode;
  go: () => void;
  /** With Ctrl-Enter. */
  alsoGo?: () => void;
}

const SHOWN_PLUGINS = 30;

/** Everything that can be gone to or done, by a few letters. */
export default function CommandPalette({ onClose }: { onClose: () => void }) {
  const [words, setWords] = useState("");
  const [at, setAt] = useState(0);
  // Never of earlier words: Enter takes the first of them, however fast it comes.
  const commands = useCommands(words);
  const list = useRef<HTMLUListElement>(null);
  const id = useId();
  const chosen = Math.min(at, commands.length - 1);
  const choose = (command: Command | undefined, also = false) => {
    if (!command) return;
    onClose();
    (also && command.alsoGo ? command.alsoGo : command.go)();
  };
  const move = (to: number) => {
    const next = (to + commands.length) % Math.max(1, commands.length);
    setAt(next);
    list.current?.children[next]?.scrollIntoView({ block: "nearest" });
  };
  return (
    <Dialog.Root open onOpenChange={onClose}>
      <Dialog.Portal>
        <Dialog.Overlay className="modal-overlay" />
        <Dialog.Content className="modal palette" aria-describedby={undefined}>
          <Dialog.Title className="hidden-visually">Search</Dialog.Title>
          <input
            className="palette-input"
            role="combobox"
            aria-expanded="true"
            aria-controls={id}
            aria-activedescendant={commands[chosen] && `${id}-${chosen}`}
            aria-label="Search plugins and places"
            placeholder="Search plugins and places"
            autoComplete="off"
            spellCheck={false}
            autoFocus
            value={words}
            onChange={(event) => {
              setWords(event.target.value);
              setAt(0);
            }}
            onKeyDown={(event) => {
              if (event.key === "ArrowDown") move(chosen + 1);
              else if (event.key === "ArrowUp") move(chosen - 1);
              else if (event.key === "Enter") choose(commands[chosen], matches(event, "mod+enter"));
              else return;
              event.preventDefault();
            }}
          />
          <ul className="palette-list" id={id} role="listbox" aria-label="Found" ref={list}>
            {commands.map((command, i) => (
              // The keyboard is the input's, which names the active option.
              <li
                key={command.key}
                id={`${id}-${i}`}
                role="option"
                aria-selected={i === chosen}
                onPointerMove={() => setAt(i)}
                onClick={() => choose(command)}
              >
                <span className="palette-icon" aria-hidden>
                  {command.icon}
                </span>
                <span className="palette-name">{command.name}</span>
                <span className="palette-about muted">{command.about}</span>
              </li>
            ))}
          </ul>
          {commands.length === 0 && <p className="muted palette-none">Nothing has these letters.</p>}
          <p className="palette-foot muted small">
            <kbd>↑</kbd> <kbd>↓</kbd> choose, <kbd>⏎</kbd> open, <kbd>{MOD} ⏎</kbd> run a plugin, <kbd>Esc</kbd> close
          </p>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function useCommands(words: string): Command[] {
  const navigate = useNavigate();
  const { data: plugins = [] } = useQuery(pluginsQuery);
  return useMemo(() => {
    const go = (path: string) => () => void navigate(path);
    const icon = (Icon: typeof Plus) => <Icon size={17} />;
    const places: Command[] = [
      ...PLACES.map(({ to, name, about, icon: Icon }) => ({ key: to, name, about, icon: icon(Icon), go: go(to) })),
      { key: "new", name: "New plugin", about: "Start from nothing or a template", icon: icon(Plus), go: go("/builder") },
      {
        key: "docs",
        name: "HTTP description",
        about: "Every request, to read and to try",
        icon: icon(BookOpen),
        go: () => location.assign("/docs"),
      },
    ];
    const wanted = words.toLowerCase().trim();
    const fitting = places.filter(({ name, about }) => `${name} ${about}`.toLowerCase().includes(wanted));
    const found = search(plugins, words)
      .slice(0, SHOWN_PLUGINS)
      .map((plugin): Command => {
        const path = encodeURIComponent(plugin.name);
        return {
          key: `plugin ${plugin.name}`,
          name: plugin.name,
          about: plugin.description,
          icon: icon(Boxes),
          go: go(`/plugins/${path}`),
          alsoGo: go(`/run/${path}`),
        };
      });
    return [...fitting, ...found];
  }, [words, plugins, navigate]);
}
