"""A model server with no model: Ollama's API, a fixed latency, the same answer always.

``python -m bench.stub_modelserver [--port N] [--latency-ms N] [--answer TEXT]`` prints its address once it is ready.
The answer to a prompt is TEXT, or without one ``echo: `` and the prompt's first 200 characters.
"""

import argparse
import asyncio
import json
from typing import Any

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

MODELS = ("mistral:latest", "qwen2.5:1.5b", "gemma2:2b", "llama3.2:latest")
_TIME = "2026-01-01T00:00:00Z"


def application(latency_seconds: float, answer: str | None) -> Starlette:
    """The stub as an ASGI application."""

    async def root(request: Request) -> Response:
        return PlainTextResponse("Ollama is running")

    async def version(request: Request) -> Response:
        return JSONResponse({"version": "0.0.0+stub"})

    async def tags(request: Request) -> Response:
        return JSONResponse({"models": [{"name": name, "model": name, "size": 0, "digest": ""} for name in MODELS]})

    async def generate(request: Request) -> Response:
        asked: dict[str, Any] = await request.json()
        prompt = str(asked.get("prompt", ""))
        return await reply(asked, prompt, lambda text: {"response": text})

    async def chat(request: Request) -> Response:
        asked: dict[str, Any] = await request.json()
        messages = asked.get("messages") or [{}]
        prompt = str(messages[-1].get("content", ""))
        return await reply(asked, prompt, lambda text: {"message": {"role": "assistant", "content": text}})

    async def reply(asked: dict[str, Any], prompt: str, written: Any) -> Response:
        model = str(asked.get("model"))
        if model not in MODELS:
            return JSONResponse({"error": f"model '{model}' not found"}, 404)
        await asyncio.sleep(latency_seconds)
        text = answer if answer is not None else f"echo: {prompt[:200]}"
        head = {"model": model, "created_at": _TIME}
        counts = {
            "done": True,
            "done_reason": "stop",
            "total_duration": round(latency_seconds * 1e9),
            "prompt_eval_count": len(prompt.split()),
            "eval_count": len(text.split()),
        }
        if asked.get("stream") is False:
            return JSONResponse({**head, **written(text), **counts})
        lines = [{**head, **written(word + " "), "done": False} for word in text.split()]
        lines.append({**head, **written(""), **counts})
        return StreamingResponse((json.dumps(line) + "\n" for line in lines), media_type="application/x-ndjson")

    return Starlette(
        routes=[
            Route("/", root),
            Route("/api/version", version),
            Route("/api/tags", tags),
            Route("/api/generate", generate, methods=["POST"]),
            Route("/api/chat", chat, methods=["POST"]),
        ]
    )


class _Server(uvicorn.Server):
    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        print(f"http://{host}:{port}", flush=True)


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--answer")
    asked = parser.parse_args()
    config = uvicorn.Config(
        application(asked.latency_ms / 1000, asked.answer),
        host=asked.host,
        port=asked.port,
        lifespan="off",
        log_level="warning",
        access_log=False,
    )
    uvloop.run(_Server(config).serve())


if __name__ == "__main__":
    main()
