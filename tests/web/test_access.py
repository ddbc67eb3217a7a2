"""WCAG 2.2 AA by axe on every page, light and dark; the main flow by keyboard alone; nothing too wide for a phone."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.web.conftest import NewPage

PAGES = {
    "landing": ("/", "main h1"),
    "plugins": ("/plugins", ".plugin-card"),
    "plugin": ("/plugins/web_echo", ".runner"),
    "source": ("/plugins/web_echo/source", ".hljs-keyword"),
    "revisions": ("/plugins/web_echo/revisions", ".revision"),
    "call": ("/plugins/web_echo/call", ".call-example .hljs-string"),
    "runner": ("/run/web_json", ".runner"),
    "choose": ("/run", ".picker-list a"),
    "models": ("/models", ".model-card"),
    "nothing": ("/no/such/page", ".empty"),
}
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


async def _violations(page: Page, axe: str) -> list[str]:
    await page.evaluate(axe)
    found = await page.evaluate("rules => axe.run({ runOnly: rules })", _RULES)
    return [f"{one['id']}: {one['help']} {[node['target'] for node in one['nodes']]}" for one in found["violations"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(new_page: NewPage, axe: str, scheme: str) -> None:
    page = await new_page(color_scheme=scheme)
    found = {}
    for name, (path, ready) in PAGES.items():
        await page.goto(path)
        await page.wait_for_selector(ready)
        found[name] = await _violations(page, axe)
    await page.goto("/run/web_fails")
    await page.get_by_role("button", name="Run", exact=True).click()
    await page.wait_for_selector(".run-output [role=alert]")
    found["failed run"] = await _violations(page, axe)
    await page.goto("/run/web_json#as=json&input={}")
    await page.get_by_role("button", name="Run", exact=True).click()
    await page.wait_for_selector(".json-tree")
    found["run"] = await _violations(page, axe)
    await page.keyboard.press("Control+k")
    await page.wait_for_selector("[role=option]")
    found["palette"] = await _violations(page, axe)
    await page.goto("/plugins/web_echo")
    await page.get_by_role("button", name="Delete").click()
    await page.wait_for_selector("[role=dialog]")
    found["dialog"] = await _violations(page, axe)
    assert {name: what for name, what in found.items() if what} == {}


async def test_nothing_is_wider_than_a_phone(new_page: NewPage, axe: str) -> None:
    page = await new_page(390, 844, is_mobile=True, has_touch=True)
    found = {}
    for name, (path, ready) in PAGES.items():
        await page.goto(path)
        await page.wait_for_selector(ready)
        width = await page.evaluate("document.documentElement.scrollWidth")
        found[name] = ([f"{width} pixels wide"] if width > 390 else []) + await _violations(page, axe)
    assert {name: what for name, what in found.items() if what} == {}


async def test_the_palette_is_there_before_it_is_asked_for(page: Page) -> None:
    async with page.expect_response(re.compile(r"/assets/CommandPalette-.*\.js$")):
        await page.goto("/")
    await page.wait_for_load_state("networkidle")
    # Keys that are pressed right after the shortcut would land in the page while it is fetched.
    await page.route("**/assets/**", lambda route: route.abort())
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("combobox")).to_be_focused()


async def test_the_main_flow_works_by_keyboard_alone(page: Page) -> None:
    await page.goto("/")
    await page.bring_to_front()
    # A key that comes before the page listens goes nowhere.
    await expect(page.get_by_role("button", name="Search")).to_be_enabled()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("combobox")).to_be_focused()
    await page.keyboard.type("web_ech")
    await expect(page.get_by_role("option").first).to_contain_text("web_echo")
    await page.keyboard.press("Control+Enter")
    await expect(page).to_have_url("/run/web_echo")
    await expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()
    for _ in range(12):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.tagName") == "TEXTAREA":
            break
    await page.keyboard.type("by hand")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("section.run-output pre")).to_have_text("by hand")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("models")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("/models$"))
    await expect(page.locator("main")).to_be_focused()
    await page.keyboard.press("Control+k")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
