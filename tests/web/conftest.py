"""The web app as people meet it: the whole platform, a real browser, nothing in between."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, Page, Request, async_playwright, expect

from deploy.places import PROJECT, Places
from deploy.setup.browser import find_chromium
from deploy.setup.node import machine_node, packaged_node
from tests.e2e.plugins import http_client
from tests.support.platform import Platform
from tests.web.builder_page import CLIPBOARD, BuilderPage
from tests.web.plugins import PLUGINS

WEB = PROJECT / "gateway" / "web"
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE_MS = 15_000
"""What a page may take under load before a test gives up on it."""
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for the session."""
    program = find_chromium(Places.read(os.environ))
    if program is None:
        pytest.skip(
            "THE WEB APP IS NOT TESTED IN A BROWSER: there is no Chromium; install it (apt-get install chromium)"
        )
    # The Node that comes with Playwright needs a library that a minimal Debian lacks.
    if node := machine_node() or packaged_node(Places.read(os.environ)):
        os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", node.node)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
async def site(stack: Platform) -> AsyncIterator[str]:
    """Address of the platform with the built web app and the plugins of these tests."""
    if not (WEB / "dist" / "index.html").is_file():
        pytest.fail("the web app is not built: python3 -m deploy.bootstrap dev")
    async with http_client(stack.http_url) as http:
        for name, plugin in PLUGINS.items():
            reply = await http.post(
                "/api/plugins/upload",
                files={"file": (f"{name}.py", plugin.source.encode(), "text/x-python")},
                data={"description": plugin.description, "input_type": plugin.input_type, "input_hint": plugin.hint},
            )
            assert reply.status_code == 200, reply.text
        yield stack.http_url
        for name in PLUGINS:
            await http.delete(f"/api/plugins/{name}")


@pytest.fixture(scope="session")
async def http(site: str) -> AsyncIterator[httpx.AsyncClient]:
    """The API beside the browser."""
    async with http_client(site) as client:
        yield client


class Watched:
    """What a context's pages did besides what the test looked at."""

    def __init__(self, site: str) -> None:
        self.problems: list[str] = []
        self._site = site
        self.expected: list[str] = []
        """Patterns of messages that belong to the test."""

    def on_console(self, message: Any) -> None:
        """Errors and warnings, a refusal by the content security policy among them."""
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.text} {message.location.get('url', '')}")

    def on_request(self, request: Request) -> None:
        """A request to anywhere else."""
        if not request.url.startswith((self._site, "data:", f"blob:{self._site}")):
            self.problems.append(f"request to {request.url}")

    def unexpected(self) -> list[str]:
        """All that no pattern covers."""
        return [text for text in self.problems if not any(re.search(pattern, text) for pattern in self.expected)]


NewPage = Callable[..., Any]


@pytest.fixture
async def new_page(browser: Browser, site: str) -> AsyncIterator[NewPage]:
    """Opens pages, each in a context of its own; a page that logs an error or asks another host fails its test."""
    contexts: list[tuple[BrowserContext, Watched]] = []

    async def new(width: int = 1440, height: int = 900, **options: Any) -> Page:
        context = await browser.new_context(
            base_url=site, viewport={"width": width, "height": height}, reduced_motion="reduce", **options
        )
        watched = Watched(site)
        contexts.append((context, watched))
        context.set_default_timeout(PATIENCE_MS)
        context.on("console", watched.on_console)
        context.on("weberror", lambda error: watched.problems.append(str(error.error)))
        context.on("request", watched.on_request)
        page = await context.new_page()
        page.watched = watched  # type: ignore[attr-defined]
        return page

    yield new
    found = [text for _, watched in contexts for text in watched.unexpected()]
    await asyncio.gather(*(context.close() for context, _ in contexts))
    assert found == []


@pytest.fixture
async def page(new_page: NewPage) -> Page:
    """A page on a laptop."""
    opened: Page = await new_page()
    return opened


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    return Path(AXE).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
async def _builder_context(browser: Browser, site: str) -> AsyncIterator[BrowserContext]:
    # One for all tests of the Builder: a browser that knows the editor's code opens it in half the time.
    context = await browser.new_context(
        base_url=site, viewport={"width": 1440, "height": 900}, reduced_motion="reduce", permissions=CLIPBOARD
    )
    context.set_default_timeout(PATIENCE_MS)
    yield context
    await context.close()


@pytest.fixture
async def builder_tab(_builder_context: BrowserContext, site: str) -> AsyncIterator[Page]:
    """A tab that may copy and paste, in a browser that keeps no drafts; what it logs fails its test."""
    tab = await _builder_context.new_page()
    await tab.goto("/favicon.svg")
    await tab.evaluate("localStorage.clear()")
    watched = Watched(site)
    # A picture that is opened as a page has the browser ask for an icon.
    watched.expected.append("favicon.ico")
    tab.watched = watched  # type: ignore[attr-defined]
    tab.on("console", watched.on_console)
    tab.on("pageerror", lambda error: watched.problems.append(str(error)))
    tab.on("request", watched.on_request)
    yield tab
    found = watched.unexpected()
    for page in _builder_context.pages:
        await page.close()
    assert found == []


@pytest.fixture
async def builder(builder_tab: Page) -> BuilderPage:
    """A Builder with a new plugin."""
    return await BuilderPage(builder_tab).open()
