"""Every page, used as a person would use it."""

import json

import httpx
from playwright.async_api import Page, expect

from tests.support.platform import Platform
from tests.web.conftest import NewPage


async def test_landing_runs_its_example_right_there(page: Page) -> None:
    await page.goto("/")
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await page.get_by_label("Input of the example").fill("one two two")
    await page.get_by_role("button", name="Run", exact=True).click()
    output = page.get_by_role("region", name="Output", exact=True)
    await expect(output.get_by_text("Done")).to_be_visible()
    await expect(output.locator(".json-tree")).to_contain_text('"words": 3')
    await expect(output.get_by_role("list", name="Where the time went")).to_contain_text("Run")
    await page.get_by_role("link", name="Browse plugins").click()
    await expect(page).to_have_url("/plugins")


async def test_landing_can_be_read_before_its_script_runs_and_takes_nothing_until_then(new_page: NewPage) -> None:
    page = await new_page(java_script_enabled=False)
    await page.goto("/")
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await expect(page.get_by_label("Source, scrolls")).to_contain_text("from platform_sdk import")
    for name in ("Run", "Search"):
        await expect(page.get_by_role("button", name=name)).to_be_disabled()
    await expect(page.get_by_label("Input of the example")).to_be_disabled()
    await page.get_by_role("link", name="Browse plugins").click()
    await expect(page).to_have_url("/plugins")


async def test_plugins_are_searched_filtered_and_sorted_and_the_address_keeps_it(page: Page) -> None:
    await page.goto("/plugins?q=web_")
    cards = page.get_by_role("listitem")
    await expect(page.get_by_text("8 of ")).to_be_visible()
    await page.get_by_label("Input type").select_option("JSON")
    await expect(cards).to_have_count(1)
    await expect(page).to_have_url("/plugins?q=web_&input=json")
    await page.get_by_role("link", name="web_json", exact=True).click()
    await expect(page.get_by_role("heading", name="web_json", level=1)).to_be_visible()
    await page.go_back()
    await expect(cards).to_have_count(1)
    await page.get_by_role("searchbox").fill("nothing has these words")
    await expect(page.get_by_text("Nothing matches")).to_be_visible()
    await page.get_by_role("button", name="Show all plugins").click()
    await page.get_by_label("Sort by").select_option("Name")
    await page.get_by_role("searchbox").fill("web_")
    await expect(cards.first).to_contain_text("web_big")


async def test_a_plugin_page_shows_source_and_how_to_call_it(page: Page, site: str, stack: Platform) -> None:
    await page.goto("/plugins/web_echo")
    await expect(page.locator("strong", has_text="byte for byte")).to_be_visible()
    await page.get_by_role("link", name="Source").click()
    await expect(page.get_by_label("Source", exact=True)).to_contain_text("get_input_bytes")
    await page.get_by_role("link", name="Call it").click()
    await expect(page.get_by_text(f"{site}/fn/web_echo").first).to_be_visible()
    for name, text in {
        "curl": "curl --data-binary", "Python": "import httpx", "JavaScript": "await fetch(",
        "Command line": "wasmforge run web_echo", "NATS": f"--server {stack.nats_url} request",
    }.items():  # fmt: skip
        await page.get_by_role("tab", name=name, exact=True).click()
        await expect(page.get_by_role("tabpanel")).to_contain_text(text)


async def test_revisions_are_compared_and_rolled_back_and_a_plugin_is_deleted_by_name(
    page: Page, http: httpx.AsyncClient
) -> None:
    for number in (1, 2, 3):
        source = f'from platform_sdk import send_output\nsend_output("version {number}")\n'
        await http.post("/api/plugins/upload", files={"file": ("web_versions.py", source.encode())})
    await page.goto("/plugins/web_versions/revisions")
    await expect(page.get_by_label("Difference")).to_contain_text('added: send_output("version 3")')
    await page.get_by_role("listitem").nth(2).get_by_role("button", name="Compare").click()
    await expect(page.get_by_label("Difference")).to_contain_text('removed: send_output("version 1")')
    await page.get_by_role("listitem").nth(2).get_by_role("button", name="Roll back").click()
    await page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    await expect(page.get_by_role("listitem").filter(has_text="Current")).to_contain_text("1")
    assert (await http.post("/fn/web_versions")).text == "version 1"

    await page.get_by_role("button", name="Delete").click()
    await page.get_by_role("button", name="Delete web_versions").click()
    await expect(page).to_have_url("/plugins")
    assert (await http.get("/api/plugins/web_versions/code")).status_code == 404


async def test_models_are_shown_asked_and_counted(page: Page) -> None:
    await page.goto("/models")
    await expect(page.get_by_role("list", name="Models").get_by_role("listitem").first).to_be_visible()
    await expect(page.get_by_text("Answered by").first).to_be_visible()
    await page.get_by_role("button", name="Ask qwen2.5:1.5b").click()
    message = page.get_by_role("textbox", name="Your message")
    await expect(message).to_be_focused()
    await message.fill("Say hello in one word.")
    await page.keyboard.press("Control+Enter")
    answer = page.locator(".turn-assistant")
    await expect(answer.locator(".turn-note")).to_contain_text("tokens")
    await expect(page.get_by_role("region", name="Usage", exact=True)).to_be_visible()


async def test_what_is_not_there_is_said(new_page: NewPage) -> None:
    page = await new_page()
    page.watched.expected.append("404")
    await page.goto("/no/such/page")
    await expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    await page.goto("/plugins/web_never_there")
    await expect(page.get_by_text("There is no such plugin")).to_be_visible()
    await page.get_by_role("link", name="All plugins").click()
    await expect(page.get_by_role("heading", name="Plugins", level=1)).to_be_visible()


async def test_the_original_s_shapes_work_from_a_browser(page: Page) -> None:
    await page.goto("/")
    seen = await page.evaluate(
        """async () => {
            const upload = new FormData();
            const source = "from platform_sdk import get_input, send_output\\nsend_output(get_input()[::-1])\\n";
            upload.append("file", new Blob([source]), "web_reverse.py");
            upload.append("description", "Turns it round");
            upload.append("input_type", "text");
            const run = new FormData();
            run.append("plugin_name", "web_reverse");
            run.append("input_data", "abc");
            const json = async (path, init) => (await fetch(path, init)).json();
            return {
                uploaded: await json("/api/plugins/upload", { method: "POST", body: upload }),
                ran: await json("/api/plugins/run", { method: "POST", body: run }),
                listed: (await json("/api/plugins/list"))[0],
                deleted: await json("/api/plugins/web_reverse", { method: "DELETE" }),
            };
        }"""
    )
    assert seen["uploaded"]["status"] == "uploaded", json.dumps(seen)
    assert (seen["ran"]["success"], seen["ran"]["output"]) == (True, "cba")
    assert {"name", "description", "input_type", "input_hint", "calls"} <= set(seen["listed"])
    assert seen["deleted"] == {"status": "deleted", "name": "web_reverse"}
