"""The Builder as somebody who writes a plugin uses it."""

from typing import Any

from playwright.async_api import Locator, Page, expect

CLIPBOARD = ["clipboard-read", "clipboard-write"]
"""Permissions that a page needs for `BuilderPage.write` and `BuilderPage.source`."""


class BuilderPage:
    """One open Builder."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.output: Locator = page.get_by_role("region", name="Output", exact=True)
        self.problems: Locator = page.locator(".problems")
        self.kept: Locator = page.locator(".builder-kept")
        self.dialog: Locator = page.get_by_role("dialog")

    async def open(self, path: str = "/builder") -> "BuilderPage":
        """Go there and wait until one can type."""
        await self.page.goto(path)
        return await self.ready()

    async def ready(self) -> "BuilderPage":
        """Wait until one can type."""
        await expect(self.page.locator(".code-editor[data-ready]")).to_be_visible()
        return self

    async def focus(self) -> None:
        """Put the cursor into the source."""
        await self.page.locator(".code-editor .native-edit-context, .code-editor textarea").first.focus()

    async def write(self, source: str) -> None:
        """Replace the source, as by pasting it."""
        await self.focus()
        await self.page.keyboard.press("ControlOrMeta+a")
        if not source:
            await self.page.keyboard.press("Delete")
            return
        await self.page.evaluate("text => navigator.clipboard.writeText(text)", source)
        await self.page.keyboard.press("ControlOrMeta+v")

    async def source(self) -> str:
        """The whole source, as by copying it."""
        await self.focus()
        await self.page.keyboard.press("ControlOrMeta+a")
        await self.page.keyboard.press("ControlOrMeta+c")
        text: str = await self.page.evaluate("navigator.clipboard.readText()")
        await self.page.keyboard.press("ControlOrMeta+End")
        return text

    async def type_at_end(self, text: str) -> None:
        """Type behind the last character, key by key."""
        await self.focus()
        await self.page.keyboard.press("ControlOrMeta+End")
        await self.page.keyboard.type(text)

    async def try_it(self) -> None:
        """Run the draft by keyboard, from wherever the focus is."""
        await self.page.keyboard.press("ControlOrMeta+Enter")

    async def is_kept(self) -> None:
        """Wait until the draft lies in the browser's storage."""
        await expect(self.kept).to_have_text("Kept in this browser")

    async def draft(self, name: str = "") -> Any:
        """The draft as it lies there."""
        return await self.page.evaluate("name => JSON.parse(localStorage.getItem(`wasmforge.draft.${name}`))", name)

    async def cursor_line(self) -> int:
        """Line of the cursor, from 1."""
        return int(await self.page.locator(".code-editor .active-line-number").first.inner_text())
