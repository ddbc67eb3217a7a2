"""Drafts: kept in the browser, one for each plugin, and two tabs that write the same one."""

import re

from playwright.async_api import Page, expect

from tests.web.builder_page import BuilderPage


async def test_a_draft_survives_a_reload_with_its_input_and_details(builder_tab: Page) -> None:
    page = builder_tab
    builder = await BuilderPage(page).open()
    await builder.write("mine = 1\n")
    await page.get_by_role("textbox", name="Input").fill("my input")
    await page.get_by_role("button", name="Deploy…").click()
    await builder.dialog.get_by_label("Description").fill("Mine.")
    await page.keyboard.press("Escape")
    await builder.is_kept()
    await page.reload()
    await builder.ready()
    assert await builder.source() == "mine = 1\n"
    await expect(page.get_by_role("textbox", name="Input")).to_have_value("my input")
    await page.get_by_role("button", name="Deploy…").click()
    await expect(builder.dialog.get_by_label("Description")).to_have_value("Mine.")


async def test_what_was_typed_last_is_kept_too(builder_tab: Page) -> None:
    page = builder_tab
    builder = await BuilderPage(page).open()
    await builder.write("typed = 1\n")
    # At once, before typing has paused.
    await page.reload()
    await builder.ready()
    assert await builder.source() == "typed = 1\n"


async def test_each_plugin_has_a_draft_of_its_own(builder_tab: Page) -> None:
    page = builder_tab
    builder = await BuilderPage(page).open()
    await builder.write("unnamed = 1\n")
    await builder.is_kept()
    await builder.open("/builder/web_echo")
    assert "get_input_bytes" in await builder.source()
    await builder.type_at_end("# changed")
    await builder.is_kept()
    await builder.open("/builder")
    assert await builder.source() == "unnamed = 1\n"
    await builder.open("/builder/web_echo")
    assert (await builder.source()).endswith("# changed")
    await page.get_by_role("button", name="Discard changes").click()
    assert not (await builder.source()).endswith("# changed")
    await expect(page.get_by_role("button", name="Discard changes")).to_have_count(0)
    await expect(builder.kept).to_have_text("")
    assert await builder.draft("web_echo") is None


async def test_a_tab_that_only_looks_follows_the_one_that_writes(builder_tab: Page) -> None:
    page = builder_tab
    first = await BuilderPage(page).open()
    second = await BuilderPage(await page.context.new_page()).open()
    await page.bring_to_front()
    await first.write("from_the_first = 1\n")
    await first.is_kept()
    await second.page.bring_to_front()
    await expect(second.page.locator(".view-line", has_text="from_the_first")).to_be_visible()
    assert await second.source() == "from_the_first = 1\n"


async def test_two_tabs_that_both_write_are_told_and_neither_loses(builder_tab: Page) -> None:
    page = builder_tab
    first = await BuilderPage(page).open()
    second = await BuilderPage(await page.context.new_page()).open()
    await second.write("from_the_second = 1\n")
    await second.is_kept()
    # The first types, and before it has paused the second's draft arrives.
    await page.bring_to_front()
    await first.write("from_the_first = 1\n")
    await page.evaluate(
        """() => {
          const key = "wasmforge.draft.";
          const now = JSON.parse(localStorage.getItem(key));
          const theirs = JSON.stringify({ ...now, source: "theirs = 1\\n", tab: "x" });
          localStorage.setItem(key, theirs);
          window.dispatchEvent(new StorageEvent("storage", { key, newValue: theirs }));
        }"""
    )
    notice = page.locator(".builder-notice")
    await expect(notice).to_contain_text("Another tab changed this draft too")
    assert await first.source() == "from_the_first = 1\n"
    await notice.get_by_role("button", name="Compare").click()
    await expect(first.dialog.locator(".diff-view")).to_contain_text("theirs = 1")
    await page.keyboard.press("Escape")
    await notice.get_by_role("button", name="Take the other tab's").click()
    await expect(notice).to_have_count(0)
    assert await first.source() == "theirs = 1\n"
    await page.keyboard.press("ControlOrMeta+z")
    assert await first.source() == "from_the_first = 1\n"


async def test_a_template_can_be_linked_to(builder_tab: Page) -> None:
    page = builder_tab
    builder = await BuilderPage(page).open("/builder?template=translate")
    assert "Translates a text" in await builder.source()
    await expect(page.get_by_role("textbox", name="Input")).to_have_value(re.compile("to: French"))
