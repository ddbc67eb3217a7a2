"""Ollama's routes."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from deploy.modelserver import model, prompt
from deploy.modelserver.admission import Admission
from deploy.modelserver.completion import Completion, Form, Prepared, created_at
from deploy.modelserver.engine import EMBED_TOKENS, Engine
from deploy.modelserver.errors import ApiError
from deploy.modelserver.model import ModelFile
from deploy.modelserver.options import Options, read_format, read_options
from deploy.modelserver.origins import LocalOnly
from deploy.modelserver.requests import (
    MAX_EMBED_INPUTS,
    ChatRequest,
    EmbeddingsRequest,
    EmbedRequest,
    GenerateRequest,
    ShowRequest,
    check_model,
    read,
    refuse_what_the_model_lacks,
)
from deploy.modelserver.settings import Settings
from schemas import __version__


@dataclass(frozen=True)
class Routes:
    """The handlers and what they work with."""

    settings: Settings
    file: ModelFile
    engine: Engine
    admission: Admission

    async def root(self, request: Request) -> Response:
        """What Ollama says at ``/``; clients look for these words."""
        return PlainTextResponse("Ollama is running")

    async def version(self, request: Request) -> Response:
        """Ours, marked as such."""
        return JSONResponse({"version": f"{__version__}+wasmforge"})

    async def tags(self, request: Request) -> Response:
        """Models that are here."""
        return JSONResponse({"models": [self.file.listed()]})

    async def ps(self, request: Request) -> Response:
        """Models that are loaded: the same one, for as long as the server runs."""
        running = {key: value for key, value in self.file.listed().items() if key != "modified_at"}
        expires = (datetime.now(UTC) + timedelta(days=365)).isoformat()
        running |= {"expires_at": expires, "size_vram": 0, "context_length": self.settings.context_tokens}
        return JSONResponse({"models": [running]})

    async def show(self, request: Request) -> Response:
        """What is known of a model."""
        asked = await read(request, ShowRequest)
        check_model(asked.model or asked.name)
        template = await self.engine.render([{"role": "user", "content": "{{ .Prompt }}"}])
        return JSONResponse(
            {
                "license": model.LICENSE,
                "modelfile": f'FROM {model.NAME}\nTEMPLATE """{template}"""\n',
                "parameters": f"num_ctx                        {self.settings.context_tokens}",
                "template": template,
                "details": self.file.details(),
                "model_info": {
                    "general.architecture": model.FAMILY,
                    "general.basename": "SmolLM2-Instruct",
                    "general.parameter_count": model.PARAMETER_COUNT,
                    "llama.context_length": model.CONTEXT_TOKENS,
                    "llama.embedding_length": model.EMBEDDING_LENGTH,
                    "llama.vocab_size": model.VOCABULARY,
                },
                "capabilities": ["completion", "embedding"],
                "modified_at": self.file.modified.isoformat(),
            }
        )

    async def generate(self, request: Request) -> Response:
        """``/api/generate``"""
        asked = await read(request, GenerateRequest)
        check_model(asked.model)
        refuse_what_the_model_lacks(suffix=asked.suffix, images=asked.images, tools=None, think=asked.think)
        options, schema = read_options(asked.options), read_format(asked.format)
        form = Form(
            text=lambda text: {"response": text},
            stream=asked.stream is not False,
            constrained=schema is not None,
            with_context=not asked.raw,
        )
        if not asked.prompt:
            return _loaded(form, asked.keep_alive)

        async def prepare() -> Prepared:
            tokens = await prompt.of_generate(self.engine, asked, options, self.settings.context_tokens)
            return self._prepared(tokens, options, schema)

        return Completion(self.admission, prepare, form)

    async def chat(self, request: Request) -> Response:
        """``/api/chat``"""
        asked = await read(request, ChatRequest)
        check_model(asked.model)
        messages = asked.messages or []
        images = any(message.images for message in messages)
        refuse_what_the_model_lacks(suffix=None, images=images, tools=asked.tools, think=asked.think)
        options, schema = read_options(asked.options), read_format(asked.format)
        form = Form(
            text=lambda text: {"message": {"role": "assistant", "content": text}},
            stream=asked.stream is not False,
            constrained=schema is not None,
        )
        if not messages:
            return _loaded(form, asked.keep_alive)

        async def prepare() -> Prepared:
            tokens = await prompt.of_chat(self.engine, messages, options, self.settings.context_tokens, asked.truncate)
            return self._prepared(tokens, options, schema)

        return Completion(self.admission, prepare, form)

    async def embed(self, request: Request) -> Response:
        """``/api/embed``"""
        started_ns = time.perf_counter_ns()
        asked = await read(request, EmbedRequest)
        check_model(asked.model)
        texts = [asked.input] if isinstance(asked.input, str) else asked.input or []
        vectors, tokens = await self._embeddings(texts, asked.truncate is not False)
        return JSONResponse(
            {
                "model": model.NAME,
                "embeddings": vectors,
                "total_duration": time.perf_counter_ns() - started_ns,
                "load_duration": 0,
                "prompt_eval_count": tokens,
            }
        )

    async def embeddings(self, request: Request) -> Response:
        """``/api/embeddings``, the older form of one text."""
        asked = await read(request, EmbeddingsRequest)
        check_model(asked.model)
        vectors, _ = await self._embeddings([asked.prompt] if asked.prompt else [], True)
        return JSONResponse({"embedding": vectors[0] if vectors else []})

    async def _embeddings(self, texts: list[str], truncate: bool) -> tuple[list[list[float]], int]:
        if len(texts) > MAX_EMBED_INPUTS:
            raise ApiError(400, f"{len(texts)} inputs, at most {MAX_EMBED_INPUTS} can be embedded at once")
        if not texts:
            return [], 0
        async with self.admission.slot():
            inputs = [await self.engine.tokenize(text) for text in texts]
            if not all(inputs):
                raise ApiError(400, "an input is empty")
            if not truncate and any(len(tokens) > EMBED_TOKENS for tokens in inputs):
                raise ApiError(400, f"the input length exceeds the context length of {EMBED_TOKENS} tokens")
            inputs = [tokens[:EMBED_TOKENS] for tokens in inputs]
            return await self.engine.embed(inputs), sum(map(len, inputs))

    def _prepared(self, tokens: list[int], options: Options, schema: dict[str, Any] | None) -> Prepared:
        context = prompt.context_tokens(options, self.settings.context_tokens)
        sampling = options.sampling() | {"n_predict": prompt.output_tokens(options, len(tokens), context)}
        if schema is not None:
            sampling["json_schema"] = schema
        return Prepared(tokens, self.engine.generate(tokens, sampling))


def _loaded(form: Form, keep_alive: Any) -> Response:
    """Nothing to generate means to load the model, or with ``keep_alive`` 0 to unload it; ours is always there."""
    unload = keep_alive in (0, "0", "0s", "0m")
    reason = "unload" if unload else "load"
    return JSONResponse(
        {"model": model.NAME, "created_at": created_at(), **form.text(""), "done": True, "done_reason": reason}
    )


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse({"error": error.message}, error.status)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = "404 page not found" if error.status_code == 404 else error.detail
    return JSONResponse({"error": words}, error.status_code, headers=error.headers)


async def _engine_error(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"the model does not answer: {type(error).__name__}"}, 500)


def application(settings: Settings, file: ModelFile, engine: Engine, admission: Admission) -> Starlette:
    """The server's ASGI application."""
    routes = Routes(settings, file, engine, admission)
    return Starlette(
        routes=[
            Route("/", routes.root),
            Route("/api/version", routes.version),
            Route("/api/tags", routes.tags),
            Route("/api/ps", routes.ps),
            Route("/api/show", routes.show, methods=["POST"]),
            Route("/api/generate", routes.generate, methods=["POST"]),
            Route("/api/chat", routes.chat, methods=["POST"]),
            Route("/api/embed", routes.embed, methods=["POST"]),
            Route("/api/embeddings", routes.embeddings, methods=["POST"]),
        ],
        middleware=[Middleware(LocalOnly)] if settings.on_loopback else [],
        exception_handlers={ApiError: _api_error, HTTPException: _http_error, httpx.HTTPError: _engine_error},
    )
