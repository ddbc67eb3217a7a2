import { FileUp, LayoutTemplate } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import { useRef } from "react";
import { announce } from "../ui/announce";
import { Button } from "../ui/Button";
import { bytes } from "../ui/format";
import { TEMPLATES, type Template } from "./templates";

const SOURCE_BYTES = 1_000_000;

/** Something to begin from: a template, or a file from this machine. */
export function TemplatesMenu({ onTemplate, onFile }: { onTemplate: (template: Template) => void; onFile: (name: string, source: string) => void }) {
  const picker = useRef<HTMLInputElement>(null);
  const open = async (file: File | undefined) => {
    if (!file) return;
    if (file.size > SOURCE_BYTES) {
      announce(`${file.name} is ${bytes(file.size)}; a source has at most ${bytes(SOURCE_BYTES)}`, "problem");
      return;
    }
    const source = new TextDecoder().decode(await file.arrayBuffer());
    if (source.includes("\u0000")) announce(`${file.name} is not a text`, "problem");
    else onFile(file.name, source);
  };
  return (
    <>
      <DropdownMenu.Root modal={false}>
        <DropdownMenu.Trigger asChild>
          <Button small>
            <LayoutTemplate size={15} aria-hidden /> Templates
          </Button>
        </DropdownMenu.Trigger>
        <DropdownMenu.Content className="menu" align="end" sideOffset={6} collisionPadding={12}>
          {TEMPLATES.map((template) => (
            <DropdownMenu.Item key={template.id} className="menu-item" textValue={template.title} onSelect={() => onTemplate(template)}>
              <span className="menu-title">{template.title}</span>
              <span className="menu-about">{template.about}</span>
            </DropdownMenu.Item>
          ))}
          <DropdownMenu.Separator className="menu-separator" />
          <DropdownMenu.Item className="menu-item menu-item-row" onSelect={() => picker.current?.click()}>
            <FileUp size={15} aria-hidden /> Open a file…
          </DropdownMenu.Item>
        </DropdownMenu.Content>
      </DropdownMenu.Root>
      <input
        ref={picker}
        type="file"
        accept=".py,text/x-python"
        hidden
        aria-label="Open a source file"
        onChange={(event) => {
          void open(event.target.files?.[0]);
          event.target.value = "";
        }}
      />
    </>
  );
}
