"""The gateway as one ASGI application: the table of routes and what lies around it."""

import asyncio
from dataclasses import dataclass

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from gateway.addresses import without_credentials
from gateway.bodies import Budget, Share, read_body
from gateway.dispatch import Dispatcher
from gateway.drafts import TryEndpoint, check
from gateway.edge import Edge
from gateway.forms import Form, parse_form
from gateway.functions import FunctionEndpoint
from gateway.health import HealthCheck
from gateway.inbox import Inbox
from gateway.leaving import WhileConnected
from gateway.models import Models
from gateway.openapi import openapi_document
from gateway.pages import page_routes
from gateway.pages.webapp import WebApp, is_built
from gateway.playground import ChatEndpoint
from gateway.plugins import PluginStore, no_such_plugin
from gateway.replies import JSONReply
from gateway.requests import read_json
from gateway.revisions import Revisions
from gateway.runs import form_limit, run
from gateway.settings import Settings
from gateway.tapes import TapeShelf
from gateway.uploads import MAX_UPLOAD_BYTES, Uploads
from gateway.usage import usage
from schemas import headers
from schemas.errors import InvalidInput, TooLarge
from schemas.http import CheckedSource, Deleted, Platform, RollBack, RolledBack
from schemas.limits import MAX_SOURCE_BYTES, Limits
from schemas.names import check_plugin_name

_MODELS_SECONDS = 2.5
_OLLAMA_SECONDS = 2.5
_LARGE_FORM_BYTES = 256 * 1024
_SMALL_BODY_BYTES = 64 * 1024
_JSON_ROOM = 6
"""JSON may write one byte of text as six."""

_EXPOSED = (
    "Server-Timing",
    "Retry-After",
    "X-Request-Id",
    headers.EXECUTION_ID,
    headers.REVISION,
    headers.EXECUTOR,
    *headers.AI_USE,
    headers.ERROR_TYPE,
    headers.TAPE,
)


@dataclass(frozen=True, slots=True)
class API:
    """Handlers of the original's routes."""

    inbox: Inbox
    store: PluginStore
    revisions: Revisions
    uploads: Uploads
    models: Models
    health: HealthCheck
    dispatcher: Dispatcher
    budget: Budget
    ceilings: Limits
    platform: Platform

    async def get_platform(self, _: Request) -> Response:
        return JSONReply(self.platform)

    async def get_health(self, _: Request) -> Response:
        return JSONReply(await self.health.get())

    async def get_ollama_health(self, _: Request) -> Response:
        return JSONReply(await self.models.health(_OLLAMA_SECONDS))

    async def list_models(self, _: Request) -> Response:
        return JSONReply((await self.models.get(_MODELS_SECONDS)).models)

    async def list_plugins(self, _: Request) -> Response:
        return JSONReply(await self.store.list())

    async def plugin_code(self, request: Request) -> Response:
        return JSONReply(await self.store.code(_name(request)))

    async def delete_plugin(self, request: Request) -> Response:
        name = _name(request)
        await self.uploads.delete(name)
        return JSONReply(Deleted("deleted", name))

    async def list_revisions(self, request: Request) -> Response:
        return JSONReply(await self.revisions.list(_name(request)))

    async def revision_code(self, request: Request) -> Response:
        return JSONReply(await self.revisions.get(_name(request), request.path_params["revision"]))

    async def roll_back(self, request: Request) -> Response:
        name = _name(request)
        wanted = read_json(await self._body(request, _SMALL_BODY_BYTES), RollBack)
        await self.uploads.roll_back(name, wanted.revision)
        return JSONReply(RolledBack("rolled_back", name, wanted.revision))

    async def check_source(self, request: Request) -> Response:
        body = await self._body(request, _JSON_ROOM * MAX_SOURCE_BYTES)
        return JSONReply(await check(self.inbox, read_json(body, CheckedSource).source))

    async def model_page(self, _: Request) -> Response:
        return JSONReply(await self.models.page(_MODELS_SECONDS))

    async def ai_usage(self, _: Request) -> Response:
        return JSONReply(await usage(self.inbox))

    async def _body(self, request: Request, limit_bytes: int) -> bytes:
        with self.budget.share() as share:
            return await read_body(request.scope, request.receive, share, limit_bytes, "The request")

    async def upload_plugin(self, request: Request) -> Response:
        with self.budget.share() as share:
            try:
                form = await _form(request, share, MAX_UPLOAD_BYTES, "The upload")
            except TooLarge as error:
                # 400, not 413: the original's clients know only that.
                raise InvalidInput(f"{error}; a plugin's source may have {MAX_SOURCE_BYTES:,} bytes") from None
            return JSONReply(await self.uploads.upload(form))

    async def run_plugin(self, request: Request) -> Response:
        with self.budget.share() as share:
            form = await _form(request, share, form_limit(self.ceilings), "The form")
            async with WhileConnected(request.receive):
                return await run(self.dispatcher, form, self.ceilings)


async def _form(request: Request, share: Share, limit_bytes: int, what: str) -> Form:
    body = await read_body(request.scope, request.receive, share, limit_bytes, what)
    content_type = request.headers.get("content-type", "")
    if len(body) > _LARGE_FORM_BYTES:
        # Megabytes of %XX take a second; other requests must not wait for that.
        return await asyncio.to_thread(parse_form, content_type, body)
    return parse_form(content_type, body)


def _name(request: Request) -> str:
    name: str = request.path_params["name"]
    try:
        return check_plugin_name(name)
    except InvalidInput:
        raise no_such_plugin(name) from None


def create_app(settings: Settings, inbox: Inbox, store: PluginStore, revisions: Revisions) -> ASGIApp:
    """The application; it starts nothing and may be called at once."""
    budget = Budget()
    models = Models(inbox)
    api = API(
        inbox=inbox,
        store=store,
        revisions=revisions,
        uploads=Uploads(inbox, store, revisions, settings.ceilings),
        models=models,
        health=HealthCheck(inbox, store, models),
        dispatcher=Dispatcher(inbox),
        budget=budget,
        ceilings=settings.ceilings,
        platform=Platform(nats=without_credentials(settings.public_nats or settings.nats)),
    )
    document = openapi_document(settings.ceilings)

    async def openapi(_: Request) -> Response:
        return Response(document, media_type="application/json")

    router = Router(
        [
            Route("/fn/{name}", FunctionEndpoint(inbox, budget, settings.ceilings), methods=["POST"]),
            Route("/health", api.get_health),
            Route("/health/ollama", api.get_ollama_health),
            Route("/api/platform", api.get_platform),
            Route("/api/models/list", api.list_models),
            Route("/api/models", api.model_page),
            Route("/api/models/chat", ChatEndpoint(inbox, budget), methods=["POST"]),
            Route("/api/ai/usage", api.ai_usage),
            Route("/api/plugins/try", TryEndpoint(inbox, budget, settings.ceilings), methods=["POST"]),
            Route("/api/plugins/check", api.check_source, methods=["POST"]),
            Route("/api/plugins/{name}/revisions", api.list_revisions),
            Route("/api/plugins/{name}/revisions/{revision}", api.revision_code),
            Route("/api/plugins/{name}/rollback", api.roll_back, methods=["POST"]),
            Route("/api/plugins/list", api.list_plugins),
            Route("/api/plugins/{name}/code", api.plugin_code),
            Route("/api/plugins/upload", api.upload_plugin, methods=["POST"]),
            Route("/api/plugins/run", api.run_plugin, methods=["POST"]),
            Route("/api/plugins/{name}", api.delete_plugin, methods=["DELETE"]),
            Route("/api/executions/{id}/tape", TapeShelf(inbox).reply),
            Route("/openapi.json", openapi),
            *page_routes(),
        ],
        redirect_slashes=False,
    )
    # As in the original: any page may call the API. Nothing here rests on cookies.
    cors = CORSMiddleware(
        router, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"], expose_headers=_EXPOSED
    )
    app: ASGIApp = WebApp(cors, settings.web) if is_built(settings.web) else cors
    return Edge(app, access_log=settings.access_log)
