"""Ollama's native API, spoken to a server that may be away, slow, broken or hostile.

Time is the caller's business (``asyncio.timeout`` around a call); size and shape are checked here.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx
import msgspec

from schemas.ai import GenerateRequest
from schemas.errors import AIErrorCode, AIFailure

MAX_REPLY_BYTES = 2 * 1024 * 1024
"""Largest body that is read; 4,096 tokens of answer are some 20 KiB."""

MAX_ERROR_CHARACTERS = 300

_CONNECT_SECONDS = 3.0
_IDLE_SECONDS = 4.0
"""Idle connections are given up before a server that closes them after 5 s does."""


class _Generated(msgspec.Struct):
    response: str | None = None
    done: bool = False
    error: str | None = None
    prompt_eval_count: int = 0
    eval_count: int = 0


class _Listed(msgspec.Struct):
    name: str


class _Tags(msgspec.Struct):
    models: list[_Listed] | None = None


@dataclass(frozen=True, slots=True)
class Generated:
    """A model's whole answer."""

    text: str
    prompt_tokens: int
    output_tokens: int


class Ollama:
    """A model server. Made by `connected`."""

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._client = client
        self.url = url
        """Its address, without a password."""

    async def generate(self, model: str, request: GenerateRequest) -> Generated:
        """Let ``model`` answer the request.

        Raises:
            AIFailure: with the code that fits, and a sentence.
        """
        body: dict[str, Any] = {"model": model, "prompt": request.prompt, "stream": False}
        for name in ("system", "format", "options"):
            if (value := getattr(request, name)) is not None:
                body[name] = value
        async with self._opened("POST", "/api/generate", body) as response:
            data = await self._read(response)
        if response.status_code != 200:
            raise self._refused(response.status_code, data, model)
        try:
            reply = msgspec.json.decode(data, type=_Generated)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            raise self._broken("its answer is not what Ollama's API says") from None
        if reply.error is not None:
            raise AIFailure(f"the model server refused: {_sentence(reply.error)}", AIErrorCode.REFUSED)
        if reply.response is None:
            raise self._broken("its answer has no text")
        if not reply.done:
            raise self._broken("its answer is not complete")
        return Generated(reply.response, max(0, reply.prompt_eval_count), max(0, reply.eval_count))

    async def list_models(self) -> list[str]:
        """Names of the models that the server has.

        Raises:
            AIFailure: they can't be had.
        """
        async with self._opened("GET", "/api/tags", None) as response:
            data = await self._read(response)
        if response.status_code != 200:
            raise self._refused(response.status_code, data, None)
        try:
            return [entry.name for entry in msgspec.json.decode(data, type=_Tags).models or ()]
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            raise self._broken("its list of models is not what Ollama's API says") from None

    @asynccontextmanager
    async def _opened(self, method: str, path: str, body: Any) -> AsyncIterator[httpx.Response]:
        """A response whose head has come and whose body has not; transport errors of both become `AIFailure`."""
        content = None if body is None else msgspec.json.encode(body)
        headed = False
        try:
            async with self._client.stream(method, path, content=content) as response:
                headed = True
                yield response
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise self._unavailable(f"can't be reached ({_sentence(str(error)) or type(error).__name__})") from None
        except httpx.ProxyError as error:
            raise self._unavailable(f"can't be reached ({type(error).__name__})") from None
        except httpx.TransportError as error:
            if headed:
                raise self._broken("its answer breaks off") from None
            if isinstance(error, httpx.RemoteProtocolError) and "disconnected" not in str(error):
                raise self._broken("what it sends is not HTTP") from None
            raise self._unavailable("closed the connection without an answer") from None

    async def _read(self, response: httpx.Response) -> bytes:
        # Nothing was asked for compressed, and what is small on the wire may be large in memory.
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise self._broken("its answer is compressed, which was not asked for")
        data = bytearray()
        async for chunk in response.aiter_raw():
            data += chunk
            if len(data) > MAX_REPLY_BYTES:
                raise self._broken(f"its answer has more than {MAX_REPLY_BYTES:,} bytes")
        return bytes(data)

    def _refused(self, status: int, data: bytes, model: str | None) -> AIFailure:
        said = _error_of(data)
        saying = f": {said}" if said else ""
        if status == 404 and model is not None and (said or not data):
            return AIFailure(f"the model server does not have {model!r}{saying}", AIErrorCode.MODEL_NOT_FOUND)
        if status in (429, 503):
            return AIFailure(f"the model server is busy{saying}", AIErrorCode.BUSY, retry_after_seconds=1)
        if 300 <= status < 400:
            return self._broken("it redirects elsewhere, set OLLAMA_URL to where the server itself is")
        if status >= 500:
            return self._unavailable(f"failed with HTTP {status}{saying}")
        if status == 404 or status < 400:
            return self._broken(f"HTTP {status} where Ollama's API answers, is this Ollama?")
        return AIFailure(f"the model server refused with HTTP {status}{saying}", AIErrorCode.REFUSED)

    def _unavailable(self, what: str) -> AIFailure:
        return AIFailure(f"the model server at {self.url} {what}", AIErrorCode.UNAVAILABLE)

    def _broken(self, what: str) -> AIFailure:
        return AIFailure(f"the reply of the model server at {self.url} can't be used: {what}", AIErrorCode.BROKEN_REPLY)


@asynccontextmanager
async def connected(url: str, connections: int) -> AsyncIterator[Ollama]:
    """A client of the server at ``url`` that keeps up to ``connections`` connections open."""
    async with httpx.AsyncClient(
        base_url=url,
        headers={"Accept-Encoding": "identity", "Content-Type": "application/json", "User-Agent": "wasmforge-broker"},
        timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
        limits=httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_IDLE_SECONDS
        ),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        # The way to the models is the operator's to name, not that of a variable meant for browsers.
        trust_env=False,
        follow_redirects=False,
    ) as client:
        yield Ollama(client, str(httpx.URL(url).copy_with(username=None, password=None)).rstrip("/"))


def _error_of(data: bytes) -> str:
    try:
        error = msgspec.json.decode(data)["error"]
    except (msgspec.MsgspecError, RecursionError, KeyError, TypeError, UnicodeDecodeError):
        return ""
    return _sentence(error) if isinstance(error, str) else ""


def _sentence(text: str) -> str:
    """One line of what a server said."""
    return " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * MAX_ERROR_CHARACTERS]).split())[
        :MAX_ERROR_CHARACTERS
    ]
