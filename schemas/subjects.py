"""Every NATS subject and queue group, spelled once.

``<plugin>`` is a plugin name (see `schemas.names`): one subject token, never a wildcard.
"""

from schemas.names import DRAFT, check_plugin_name

FUNCTIONS = "wasmforge.fn.*"
"""Calls of any plugin: body = input, reply body = output. Queue group `EXECUTORS`."""

SPARE = "wasmforge.spare.*"
"""A full executor passes a call on here; only executors with room listen. Internal."""

CHECK = "wasmforge.sandbox.check"
"""`messages.CheckRequest` → `messages.CheckReply`: does this source compile in a sandbox? Queue group `EXECUTORS`."""

PLUGIN_SOURCES = "wasmforge.plugins.get.*"
"""`messages.PluginQuery` → `messages.PluginRevision`, answered by a gateway. Queue group `GATEWAYS`."""

AI_GENERATE = "wasmforge.ai.generate"
"""`ai.GenerateRequest` → `ai.GenerateReply`. Queue group `BROKERS`."""

AI_CHAT = "wasmforge.ai.chat"
"""`ai.ChatRequest` → `ai.ChatReply`. Queue group `BROKERS`."""

AI_EMBED = "wasmforge.ai.embed"
"""`ai.EmbedRequest` → `ai.EmbedReply`. Queue group `BROKERS`."""

AI_MODELS = "wasmforge.ai.models"
"""Empty → `ai.ModelsReply`. Queue group `BROKERS`."""

AI_USAGE = "wasmforge.ai.usage"
"""Empty → `ai.UsageReply` from every broker: no queue group."""

AI_CANCEL = "wasmforge.ai.cancel"
"""`messages.Cancel`, heard by every broker: the request with this inbox is given up. No answer."""

CALL_CANCEL = "wasmforge.cancel"
"""`messages.Cancel`, heard by every executor: the call with this inbox is ended. No answer but the call's own."""

TRY = "wasmforge.sandbox.try"
"""`messages.DraftRun`, answered like a call. Queue group `EXECUTORS`."""

PLUGIN_EVENTS = "wasmforge.events.plugin.*"
"""`messages.PluginChanged`, published when a plugin is deployed or deleted."""

EXECUTION_EVENTS = "wasmforge.events.execution.*"
"""`messages.ExecutionFinished`, published by the executor after every call."""

AI_EVENTS = "wasmforge.events.ai.*"
"""`ai.AIFinished`, published by the broker after every request; the last token is the plugin, or ``none``."""

TAPES = "wasmforge.tapes.*"
"""`schemas.tapes.Tape` of a recorded call, kept by JetStream; the last token is the execution's id."""

BUDGETS = "wasmforge.budgets"
"""JetStream counters of what is used of budgets: ``.<window>.<its number>.<scope>.<key>.<what>``. Of brokers alone."""

EXECUTORS = "executors"
BROKERS = "brokers"
GATEWAYS = "gateways"

_INBOX_PREFIX = "_INBOX."


def function(plugin: str) -> str:
    """Subject on which ``plugin`` is called."""
    return f"wasmforge.fn.{check_plugin_name(plugin)}"


def spare(plugin: str) -> str:
    """Subject on which a full executor passes a call of ``plugin`` on."""
    return f"wasmforge.spare.{check_plugin_name(plugin)}"


def plugin_source(plugin: str) -> str:
    """Subject on which the source of ``plugin`` is asked for."""
    return f"wasmforge.plugins.get.{check_plugin_name(plugin)}"


def plugin_event(plugin: str) -> str:
    """Subject on which a change of ``plugin`` is told."""
    return f"wasmforge.events.plugin.{check_plugin_name(plugin)}"


def execution_event(plugin: str) -> str:
    """Subject on which a finished call of ``plugin`` is told."""
    return f"wasmforge.events.execution.{plugin if plugin == DRAFT else check_plugin_name(plugin)}"


def ai_event(plugin: str) -> str:
    """Subject on which a finished request for the sake of ``plugin`` is told; empty: of nobody's plugin."""
    if plugin in ("", DRAFT):
        return f"wasmforge.events.ai.{plugin or 'none'}"
    return f"wasmforge.events.ai.{check_plugin_name(plugin)}"


def tape(execution_id: str) -> str:
    """Subject under which the tape of an execution is kept; the id is one token (`schemas.names`)."""
    return f"wasmforge.tapes.{execution_id}"


def plugin_of(subject: str) -> str:
    """The plugin name a subject ends in.

    Raises:
        InvalidInput: the last token is not a plugin name.
    """
    return check_plugin_name(subject.rpartition(".")[2])


def is_inbox(subject: str) -> bool:
    """Whether ``subject`` is a reply inbox; a passed-on call may be answered nowhere else."""
    return subject.startswith(_INBOX_PREFIX) and not any(c in subject for c in "*> \t\r\n")
