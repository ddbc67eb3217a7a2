"""The Builder by keyboard, on a phone, and by axe."""

import pytest
from playwright.async_api import Page, expect

from tests.web.builder_page import CLIPBOARD, BuilderPage
from tests.web.conftest import NewPage
from tests.web.test_access import _violations as violations


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_in_the_builder(new_page: NewPage, axe: str, scheme: str) -> None:
    page: Page = await new_page(color_scheme=scheme, permissions=CLIPBOARD)
    builder = await BuilderPage(page).open()
    found = {"new": await violations(page, axe)}
    await builder.write("import numpy\n1 / 0\n")
    await expect(builder.problems).to_contain_text("numpy")
    await builder.write("1 / 0\n")
    await builder.try_it()
    await expect(builder.output).to_contain_text("ZeroDivisionError")
    found["failed"] = await violations(page, axe)
    await page.get_by_role("tab", name="Reference").click()
    await page.locator(".reference summary").first.click()
    found["reference"] = await violations(page, axe)
    await page.get_by_role("button", name="Templates").click()
    await expect(page.get_by_role("menu")).to_be_visible()
    found["templates"] = await violations(page, axe)
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Deploy…").click()
    await builder.dialog.get_by_text("Limits of one execution").click()
    found["deploy"] = await violations(page, axe)
    await builder.open("/builder/web_echo")
    await builder.type_at_end("# more")
    await page.get_by_role("button", name="Deploy…").click()
    await builder.dialog.get_by_role("button", name="Review and deploy").click()
    await expect(builder.dialog.locator(".diff-view")).to_contain_text("# more")
    found["difference"] = await violations(page, axe)
    assert {name: what for name, what in found.items() if what} == {}


async def test_on_a_phone_the_parts_are_tabs(new_page: NewPage, axe: str) -> None:
    page: Page = await new_page(390, 844, is_mobile=True, has_touch=True, permissions=CLIPBOARD)
    builder = await BuilderPage(page).open()
    found = {}
    for name in ("Input", "Output", "Reference", "Source"):
        await page.get_by_role("tab", name=name).click()
        await expect(page.get_by_role("tabpanel", name=name)).to_be_visible()
        await expect(page.get_by_role("tabpanel")).to_have_count(1)
        width = await page.evaluate("document.documentElement.scrollWidth")
        found[name] = ([f"{width} pixels wide"] if width > 390 else []) + await violations(page, axe)
    assert {name: what for name, what in found.items() if what} == {}
    await builder.write("print('on a phone')\n1 / 0\n")
    await page.get_by_role("button", name="Try").click()
    # The output comes forward, and its traceback leads back.
    await expect(builder.output).to_contain_text("ZeroDivisionError")
    await builder.output.get_by_role("button", name='File "plugin.py", line 2').click()
    await expect(page.get_by_role("tabpanel", name="Source")).to_be_visible()
    assert await builder.cursor_line() == 2


async def test_from_nothing_to_a_deployed_plugin_by_keyboard_alone(new_page: NewPage) -> None:
    page: Page = await new_page()
    await page.goto("/")
    await expect(page.get_by_role("button", name="Search")).to_be_enabled()
    await page.keyboard.press("ControlOrMeta+k")
    await expect(page.get_by_role("combobox")).to_be_focused()
    await page.keyboard.type("Builder")
    await expect(page.get_by_role("option").first).to_contain_text("Builder")
    await page.keyboard.press("Enter")
    builder = await BuilderPage(page).ready()
    # The cursor is in the source already.
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.type("print('by hand')")
    await page.keyboard.press("ControlOrMeta+Enter")
    await expect(builder.output.locator(".run-output-content")).to_have_text("by hand\n")
    await page.keyboard.press("ControlOrMeta+s")
    await expect(builder.dialog.get_by_label("Name", exact=True)).to_be_focused()
    await page.keyboard.type("by_hand")
    await page.keyboard.press("Enter")
    await expect(builder.dialog).to_contain_text("by_hand is deployed")
    await page.get_by_role("link", name="Run it").focus()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url("/run/by_hand")
    await page.request.delete("/api/plugins/by_hand")
