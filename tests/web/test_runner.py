"""Running plugins: every kind of input and output, and what happens when it does not go well."""

import re
from pathlib import Path

from playwright.async_api import Page, expect

from tests.support.platform import Platform
from tests.web.conftest import NewPage

OUTPUT = "section.run-output"


async def _open(page: Page, name: str, fragment: str = "") -> None:
    await page.goto(f"/run/{name}{fragment}")
    await expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()


async def _run(page: Page) -> None:
    await page.get_by_role("button", name="Run", exact=True).click()
    await expect(page.locator(OUTPUT).get_by_text(re.compile("^(Done|Failed)$"))).to_be_visible()


async def test_json_is_checked_formatted_and_folded(page: Page) -> None:
    await _open(page, "web_json")
    await expect(page.get_by_text('An object such as {"name": "Ada"}')).to_be_visible()
    text = page.get_by_role("textbox", name="Input")
    await text.fill('{"name": \n nope}')
    await expect(page.get_by_role("alert")).to_contain_text("Line 2, column 2")
    await text.fill('{"name":"Ada"}')
    await page.get_by_role("button", name="Format").click()
    await expect(text).to_have_value('{\n  "name": "Ada"\n}')
    await _run(page)
    tree = page.locator(".json-tree")
    await expect(tree).to_contain_text('"Ada"')
    await tree.locator("summary", has_text="deep").click()
    await expect(tree).to_contain_text("1 key")
    await page.get_by_role("radio", name="Text").last.click()
    await expect(page.locator(OUTPUT)).to_contain_text('{"given": {"name": "Ada"}')


async def test_files_go_whole_and_too_large_ones_not_at_all(page: Page, tmp_path: Path) -> None:
    await _open(page, "web_file")
    small, large = tmp_path / "small.bin", tmp_path / "large.bin"
    small.write_bytes(bytes(range(256)) * 100)
    large.write_bytes(bytes(1024 * 1024 + 1))
    await page.locator("input[type=file]").set_input_files(large)
    await expect(page.get_by_role("alert")).to_contain_text("this plugin takes at most 1 MiB")
    await page.get_by_role("button", name="Run", exact=True).click()
    await expect(page.locator(OUTPUT)).to_contain_text("What the plugin sends appears here")
    await page.locator("input[type=file]").set_input_files(small)
    await _run(page)
    await expect(page.locator(OUTPUT)).to_contain_text("25600 bytes, 3264000 in all")


async def test_pictures_are_shown(page: Page, tmp_path: Path) -> None:
    await _open(page, "web_picture")
    await _run(page)
    await expect(page.locator(".image-view")).to_contain_text("8 × 8 pixels")
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Download output").click()
    picture = tmp_path / "picture.png"
    download = await downloading.value
    assert download.suggested_filename == "web_picture.png"
    await download.save_as(picture)
    await _open(page, "web_echo")
    await page.get_by_role("radio", name="File").click()
    await page.locator("input[type=file]").set_input_files(picture)
    await expect(page.get_by_alt_text("Preview of picture.png")).to_be_visible()
    await _run(page)
    await expect(page.locator(".image-view")).to_contain_text("8 × 8 pixels")


async def test_text_tables_and_bytes_are_told_apart(page: Page) -> None:
    await _open(page, "web_echo", "#as=text&input=name%2Cage%0AAda%2C36%0AAlan%2C41%0A")
    await _run(page)
    await expect(page.locator(OUTPUT).get_by_role("columnheader", name="age")).to_be_visible()
    await page.get_by_role("textbox", name="Input").fill("Just a sentence, nothing more.")
    await _run(page)
    await expect(page.locator(f"{OUTPUT} pre")).to_have_text("Just a sentence, nothing more.")


async def test_hostile_output_is_text_and_nothing_else(new_page: NewPage) -> None:
    page = await new_page()
    await page.goto("/plugins/web_hostile")
    await expect(page.locator(".plugin-about em")).to_have_text("tries")
    await _run(page)
    shown = page.locator(f"{OUTPUT} .markdown")
    await expect(shown.locator("strong")).to_have_text("strong")
    await expect(shown).to_contain_text("<script>")
    assert await shown.locator("script, img, b, [onerror]").count() == 0
    assert await shown.locator("a[href^='javascript']").count() == 0
    assert "owned" not in await page.title()


async def test_a_megabyte_is_shown_and_the_page_stays_alive(page: Page) -> None:
    await _open(page, "web_big")
    await _run(page)
    await expect(page.locator(OUTPUT)).to_contain_text("977 KiB")
    await page.get_by_role("textbox", name="Input").fill("still typing")
    await expect(page.get_by_role("textbox", name="Input")).to_have_value("still typing")


async def test_a_failure_is_said_in_words_with_its_traceback(page: Page) -> None:
    await _open(page, "web_fails")
    await _run(page)
    note = page.locator(OUTPUT).get_by_role("alert")
    await expect(note).to_contain_text("The plugin stopped with an error")
    await expect(note).to_contain_text("ZeroDivisionError: division by zero")
    await note.get_by_text("Traceback", exact=True).click()
    await expect(note).to_contain_text('File "plugin.py", line 4')
    await expect(page.locator(OUTPUT)).to_contain_text("so far")
    await page.get_by_text("Log (1 line)").click()
    await expect(page.locator(OUTPUT)).to_contain_text("in the log")


async def test_output_streams_and_a_run_is_cancelled(page: Page) -> None:
    await _open(page, "web_drip")
    await page.get_by_role("button", name="Run", exact=True).click()
    await expect(page.locator(OUTPUT)).to_contain_text("drop 3")
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.locator(OUTPUT)).to_contain_text("Cancelled")
    await expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()


async def test_runs_are_kept_repeated_linked_and_forgotten(new_page: NewPage, site: str) -> None:
    page = await new_page(permissions=["clipboard-read", "clipboard-write"])
    await _open(page, "web_echo")
    await page.get_by_role("textbox", name="Input").fill("to be repeated")
    await _run(page)
    await page.get_by_role("button", name="Copy a link that opens this run again").click()
    await expect(page.get_by_text("Link copied")).to_be_visible()
    link = await page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"{site}/run/web_echo#")

    await page.goto("/run")
    row = page.get_by_role("region", name="Your runs").get_by_role("listitem")
    await expect(row).to_contain_text("to be repeated")
    await page.reload()
    await row.get_by_role("link", name="Repeat this run of web_echo").click()
    await expect(page.get_by_role("textbox", name="Input")).to_have_value("to be repeated")
    await page.go_back()
    await row.get_by_role("button", name="Forget this run of web_echo").click()
    await expect(page.get_by_text("No runs yet")).to_be_visible()

    elsewhere = await new_page()
    await elsewhere.goto(link)
    await expect(elsewhere.get_by_role("textbox", name="Input")).to_have_value("to be repeated")


async def test_a_gateway_that_goes_away_in_the_middle_is_noticed_and_so_is_its_return(
    new_page: NewPage, stack: Platform
) -> None:
    page = await new_page()
    page.watched.expected += [
        "ERR_CONNECTION_REFUSED",
        "ERR_INCOMPLETE_CHUNKED",
        "ERR_CONNECTION_RESET",
        "ERR_EMPTY_RESPONSE",
        # A gateway that is back answers before it has found its database again.
        "status of 503",
    ]
    await _open(page, "web_drip")
    await page.get_by_role("button", name="Run", exact=True).click()
    await expect(page.locator(OUTPUT)).to_contain_text("drop 2")
    await stack.take_down("gateway")
    try:
        await expect(page.locator(OUTPUT)).to_contain_text("The connection broke in the middle of the run")
        await expect(page.locator(OUTPUT)).to_contain_text("drop 2")
        await expect(page.get_by_text("The gateway does not answer")).to_be_visible()
    finally:
        await stack.bring_up("gateway")
        await stack.wait_ready()
    # It asks again by itself; the browser's own "online" makes it ask at once.
    await page.evaluate("window.dispatchEvent(new Event('online'))")
    await expect(page.get_by_text("The gateway does not answer")).to_have_count(0)
    await _open(page, "web_echo", "#as=text&input=back")
    await _run(page)
    await expect(page.locator(OUTPUT)).to_contain_text("back")
