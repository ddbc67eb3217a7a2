"""``wasmforge doctor``: what keeps plugins in on this platform, and what does not, executor by executor."""

import argparse

import msgspec

from schemas.http import SandboxInfo
from sdk.cli import terminal
from sdk.cli.exits import Exit
from sdk.client import WasmForge


async def doctor(wf: WasmForge, arguments: argparse.Namespace) -> Exit:
    """Print the layers of confinement of every executor; exit code 3 if one is missing or nobody answers."""
    health = await wf.health()
    if arguments.json:
        terminal.put_json(msgspec.to_builtins(health.sandboxes))
    else:
        rows = [row for sandbox in health.sandboxes for row in _rows(sandbox)]
        terminal.put_table(("EXECUTOR", "LAYER", "IN FORCE", "WHY NOT"), rows)
    insecure = [sandbox.executor for sandbox in health.sandboxes if sandbox.sandbox != "wasmedge"]
    weak = [sandbox.executor for sandbox in health.sandboxes if sandbox.missing and sandbox.executor not in insecure]
    if not health.sandboxes:
        terminal.complain("no executor answers")
    if insecure:
        terminal.complain(
            f"{len(insecure)} of {len(health.sandboxes)} executors run plugins WITHOUT A SANDBOX "
            "(WASMFORGE_SANDBOX=insecure-subprocess): what a plugin does there, it does as the executor's user"
        )
    if weak:
        terminal.complain(
            f"{len(weak)} of {len(health.sandboxes)} executors run plugins with less than every layer: "
            "WebAssembly holds, but nothing is behind it where a layer is missing (docs/security.md)"
        )
    return Exit.AWAY if insecure or weak or not health.sandboxes else Exit.OK


def _rows(sandbox: SandboxInfo) -> list[tuple[str, str, str, str]]:
    if sandbox.sandbox != "wasmedge":
        return [(sandbox.executor, f"any ({sandbox.sandbox})", "no", "plugins run in plain processes of this machine")]
    engine = f"WebAssembly ({sandbox.engine})"
    rows = [(sandbox.executor, engine, "yes", "")]
    rows += [(sandbox.executor, layer, "yes", "") for layer in sandbox.layers]
    rows += [(sandbox.executor, layer, "no", why) for layer, why in sandbox.missing.items()]
    return rows
