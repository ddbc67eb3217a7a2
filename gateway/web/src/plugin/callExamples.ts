import type { Language } from "../ui/highlight";

export interface Example {
  key: string;
  title: string;
  language: Language;
  code: string;
  /** What it needs, in a few words. */
  note?: string;
}

interface Sample {
  name: string;
  input_type: "text" | "json" | "file";
}

const SAMPLES = { text: "Some text", json: '{"key": "value"}', file: "" };

/** How to call a plugin from elsewhere, ready to paste; `origin` and `nats` are the real addresses. */
export function callExamples({ name, input_type: as }: Sample, origin: string, nats: string): Example[] {
  const address = `${origin}/fn/${encodeURIComponent(name)}`;
  const text = SAMPLES[as];
  const file = as === "file";
  const type = as === "json" ? "application/json" : "text/plain";
  const python = file
    ? `import httpx\n\nwith open("input.bin", "rb") as file:\n    reply = httpx.post("${address}", content=file.read(), timeout=120)\nreply.raise_for_status()\nprint(reply.text)\n`
    : `import httpx\n\nreply = httpx.post("${address}", content=${pythonText(text)}, timeout=120)\nreply.raise_for_status()\nprint(reply.text)\n`;
  const javascript = file
    ? `const file = document.querySelector("input[type=file]").files[0];\nconst reply = await fetch("${address}", { method: "POST", body: file });\nif (!reply.ok) throw new Error((await reply.json()).error);\nconsole.log(await reply.text());\n`
    : `const reply = await fetch("${address}", {\n  method: "POST",\n  headers: { "Content-Type": "${type}" },\n  body: ${JSON.stringify(text)},\n});\nif (!reply.ok) throw new Error((await reply.json()).error);\nconsole.log(await reply.text());\n`;
  return [
    {
      key: "curl",
      title: "curl",
      language: "bash",
      code: file ? `curl --data-binary @input.bin \\\n  ${address}\n` : `curl --data-binary '${text}' \\\n  ${address}\n`,
      note: "Add -H 'Accept: text/event-stream' and -N to get the output as it comes.",
    },
    { key: "python", title: "Python", language: "python", code: python, note: "With httpx; sdk/client.py is a client with types and streams." },
    { key: "javascript", title: "JavaScript", language: "javascript", code: javascript, note: "In browsers and in Node." },
    {
      key: "cli",
      title: "Command line",
      language: "bash",
      code: file ? `./wasmforge run ${name} < input.bin\n` : `./wasmforge run ${name} '${text}'\n`,
      note: `In the project's folder. Elsewhere: --url ${origin}`,
    },
    {
      key: "nats",
      title: "NATS",
      language: "bash",
      code: `nats --server ${nats} request \\\n  wasmforge.fn.${name} '${text || "input"}'\n`,
      note: "Or with any client library of NATS: the message is the input, the reply the output.",
    },
  ];
}

const pythonText = (text: string) => (text.includes('"') ? `'${text}'` : `"${text}"`);
