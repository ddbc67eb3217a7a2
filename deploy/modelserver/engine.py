"""llama.cpp in this process, spoken to over its own HTTP port on loopback.

The port rather than the in-process calls, because closing a connection is what frees a slot at once, and because
only the port offers tokens and the chat template. It is closed to others by a key that lives as long as the process.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec

from deploy.modelserver import model
from deploy.modelserver.errors import ApiError
from deploy.modelserver.settings import Settings

EMBED_TOKENS = 512
"""A text to embed has to fit into one physical batch; a larger one would cost memory whether it is used or not."""

_SILENCE_SECONDS = 120.0
"""A slot that says nothing for so long is lost."""


class _Timings(msgspec.Struct):
    prompt_ms: float = 0.0
    predicted_ms: float = 0.0


class _Event(msgspec.Struct):
    content: str = ""
    tokens: list[int] = []
    stop: bool = False
    stop_type: str = "none"
    tokens_evaluated: int = 0
    tokens_predicted: int = 0
    timings: _Timings = msgspec.field(default_factory=_Timings)
    error: dict[str, Any] | None = None


@dataclass(frozen=True)
class Piece:
    """A piece of generated text; the last one carries the counts."""

    text: str
    tokens: list[int]
    done: bool
    reached_limit: bool
    prompt_tokens: int
    output_tokens: int
    prompt_ns: int
    output_ns: int


class Engine:
    """The loaded model. Made by `opened`."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def render(self, messages: Sequence[dict[str, str]]) -> str:
        """The messages in the model's own chat template."""
        reply = await self._post("/apply-template", {"messages": messages})
        return str(reply["prompt"])

    async def tokenize(self, text: str) -> list[int]:
        """Tokens of a text, control tokens of the template included."""
        reply = await self._post("/tokenize", {"content": text, "add_special": True, "parse_special": True})
        return list(reply["tokens"])

    async def detokenize(self, tokens: Sequence[int]) -> str:
        """Text of tokens."""
        reply = await self._post("/detokenize", {"tokens": tokens})
        return str(reply["content"])

    async def embed(self, inputs: Sequence[Sequence[int]]) -> list[list[float]]:
        """One vector of length 1 for each input."""
        reply = await self._post("/v1/embeddings", {"input": inputs})
        return [entry["embedding"] for entry in reply["data"]]

    async def generate(self, tokens: Sequence[int], sampling: dict[str, Any]) -> AsyncGenerator[Piece, None]:
        """Generated text as it comes. Leaving the iteration (``aclosing``) frees the slot.

        Raises:
            ApiError: llama.cpp refused or broke off.
        """
        body = {"prompt": tokens, "stream": True, "return_tokens": True, **sampling}
        try:
            async with self._client.stream("POST", "/completion", json=body) as response:
                if response.status_code != 200:
                    raise _refused(response.status_code, await response.aread())
                async for line in response.aiter_lines():
                    kind, _, data = line.partition(":")
                    if kind == "error":
                        raise _refused(500, data.encode())
                    if kind != "data":
                        continue
                    event = msgspec.json.decode(data, type=_Event)
                    if event.error is not None:
                        raise _refused(int(event.error.get("code", 500)), data.encode())
                    yield _piece(event)
                    if event.stop:
                        return
        except httpx.HTTPError as error:
            raise ApiError(500, f"the generation broke off: {type(error).__name__}") from None
        raise ApiError(500, "the generation broke off")

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        response = await self._client.post(path, json=body)
        if response.status_code != 200:
            raise _refused(response.status_code, response.content)
        return dict(response.json())


@asynccontextmanager
async def opened(path: Path, settings: Settings) -> AsyncIterator[Engine]:
    """Load the model, have it ready, unload it.

    Raises:
        model.ModelUnusable: llama.cpp can't load it.
    """
    key = secrets.token_hex(32)
    # Loading takes half a second in which the loop must see signals; llama.cpp lets go of the interpreter meanwhile.
    server = await asyncio.to_thread(_load, path, settings, key)
    client = httpx.AsyncClient(
        base_url=server.listening_address,
        # llama.cpp closes idle connections when it likes; a fresh one on loopback costs less than a failed request.
        headers={"Authorization": f"Bearer {key}", "Connection": "close"},
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        timeout=httpx.Timeout(5.0, read=_SILENCE_SECONDS),
        trust_env=False,
        follow_redirects=False,
    )
    try:
        async with client:
            yield Engine(client)
    finally:
        del server


def missing_instructions(cpuinfo: str) -> list[str]:
    """What llama.cpp was compiled for and this x86-64 processor lacks; without it the process would just die."""
    flags = next((line for line in cpuinfo.splitlines() if line.startswith("flags")), "")
    return [name for name in ("avx2", "fma", "f16c", "bmi2") if flags and name not in flags.split()]


def _load(path: Path, settings: Settings, key: str) -> Any:
    if missing := missing_instructions(Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")):
        raise model.ModelUnusable(
            f"this processor lacks {', '.join(missing)}, which the embedded model needs: "
            "set OLLAMA_URL to a machine that runs Ollama"
        )
    try:
        import xllamacpp
    except ImportError as error:
        raise model.ModelUnusable(
            f"xllamacpp can't be loaded ({error}): run `make up` again, which installs it"
        ) from None
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = {model.NAME}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.ui = False
    params.n_parallel = settings.slots
    params.n_ctx = settings.context_tokens * settings.slots
    params.n_ubatch = EMBED_TOKENS
    params.cpuparams.n_threads = settings.threads
    params.cpuparams_batch.n_threads = settings.threads
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.cache_ram_mib = 0
    params.warmup = False
    params.fit_params = False
    params.verbosity = -1
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise model.ModelUnusable(f"llama.cpp can't load {path}: {error}") from None


def _piece(event: _Event) -> Piece:
    return Piece(
        text=event.content,
        tokens=event.tokens,
        done=event.stop,
        reached_limit=event.stop_type == "limit",
        prompt_tokens=event.tokens_evaluated,
        output_tokens=event.tokens_predicted,
        prompt_ns=int(event.timings.prompt_ms * 1e6),
        output_ns=int(event.timings.predicted_ms * 1e6),
    )


def _refused(status: int, body: bytes) -> ApiError:
    try:
        message = str(msgspec.json.decode(body)["error"]["message"])
    except (msgspec.MsgspecError, KeyError, TypeError):
        message = body.decode("utf-8", "replace").strip() or f"llama.cpp answered {status}"
    return ApiError(status if 400 <= status < 600 else 500, message[:500])
