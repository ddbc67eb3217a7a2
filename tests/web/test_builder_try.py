"""Trying a draft in the real sandbox, without deploying it."""

import json
import re
from pathlib import Path

import httpx
import pytest
from playwright.async_api import expect

from tests.support.platform import Platform
from tests.web.builder_page import BuilderPage
from tests.web.conftest import WEB
from tests.web.plugins import PLUGINS

TEMPLATES = WEB / "src" / "builder" / "templates"
EXAMPLES = WEB / "src" / "landing" / "examples"

STEPS = """from platform_sdk import get_input, send_output
print("in the log")
send_output("first " + get_input())
def work(n):
    return 1 / n
work(0)
"""

ENDLESS = """from platform_sdk import send_output
import time
i = 0
while True:
    send_output(f"drop {i}")
    i += 1
    time.sleep(0.01)
"""


async def test_a_failure_leads_to_its_line(builder: BuilderPage) -> None:
    await builder.write(STEPS)
    await builder.page.get_by_role("textbox", name="Input").fill("Ada")
    # Works while the input has the focus, too.
    await builder.try_it()
    await expect(builder.output).to_contain_text("ZeroDivisionError")
    await expect(builder.output).to_contain_text("first Ada")
    await expect(builder.output).to_contain_text("Log (1 line)")
    await expect(builder.output.get_by_label(re.compile("Where the time went"))).to_contain_text("Run")
    await expect(builder.page.locator(".failed-line")).to_be_visible()
    await builder.output.get_by_role("button", name='File "plugin.py", line 5').click()
    assert await builder.cursor_line() == 5
    await expect(builder.page.locator(".code-editor .native-edit-context, .code-editor textarea").first).to_be_focused()
    await builder.page.keyboard.type("#")
    await expect(builder.page.locator(".failed-line")).to_have_count(0)


async def test_output_comes_while_it_runs_and_cancel_ends_it(builder: BuilderPage) -> None:
    await builder.write(ENDLESS)
    await builder.try_it()
    await expect(builder.output).to_contain_text("drop 20")
    # Typing goes on meanwhile; what runs is what was there when it began.
    await builder.type_at_end("# a note")
    assert (await builder.source()).endswith("# a note")
    await builder.page.get_by_role("button", name="Cancel").first.click()
    await expect(builder.output).to_contain_text("Cancelled")
    await expect(builder.page.get_by_role("button", name="Try").first).to_be_visible()


async def test_files_and_json_are_input_too(builder: BuilderPage, tmp_path: Path) -> None:
    await builder.write((TEMPLATES / "file_facts.py").read_text())
    await builder.page.get_by_role("radio", name="File").click()
    await builder.try_it()
    await expect(builder.page.get_by_text("Choose a file first.")).to_be_visible()
    file = tmp_path / "data.bin"
    file.write_bytes(bytes(range(256)) * 500)
    await builder.page.locator(".try-input input[type=file]").set_input_files(file)
    await builder.try_it()
    await expect(builder.output.locator(".json-tree")).to_contain_text("128000")
    await builder.page.get_by_role("radio", name="JSON").first.click()
    await builder.page.get_by_role("textbox", name="Input").fill("{")
    await builder.try_it()
    await expect(builder.page.locator(".try-input").get_by_role("alert")).to_be_visible()


async def test_output_that_is_a_page_is_shown_not_run(builder: BuilderPage) -> None:
    hostile = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    await builder.write(f"from platform_sdk import send_output\nsend_output({hostile!r})\n")
    await builder.try_it()
    await expect(builder.output).to_contain_text("document.title='owned'")
    assert await builder.page.title() == "New plugin · WasmForge"


async def test_output_that_is_a_picture_is_shown(builder: BuilderPage) -> None:
    await builder.write(PLUGINS["web_picture"].source)
    await builder.try_it()
    await expect(builder.output.locator(".image-view")).to_contain_text("8 × 8 pixels")


async def test_limits_of_the_draft_hold_for_a_try(builder: BuilderPage) -> None:
    await builder.write("import time\ntime.sleep(30)\n")
    await builder.page.get_by_role("button", name="Deploy…").click()
    await builder.dialog.get_by_text("Limits of one execution").click()
    await builder.dialog.get_by_label("Time (s)", exact=True).fill("0.3")
    await builder.dialog.get_by_role("button", name="Cancel").click()
    await builder.try_it()
    await expect(builder.output).to_contain_text("The time was up")


async def test_a_gateway_that_goes_away_in_the_middle_is_said_and_the_draft_stays(
    builder: BuilderPage, stack: Platform
) -> None:
    builder.page.watched.expected += ["ERR_", "Failed to load resource"]  # type: ignore[attr-defined]
    await builder.write(ENDLESS)
    await builder.try_it()
    await expect(builder.output).to_contain_text("drop 5")
    try:
        await stack.take_down("gateway")
        await expect(builder.output).to_contain_text("The connection broke in the middle of the run")
        await expect(builder.page.get_by_role("alert").filter(has_text="The gateway does not answer")).to_be_visible()
        await builder.type_at_end("# offline")
        assert (await builder.source()).endswith("# offline")
    finally:
        await stack.bring_up("gateway")
        await stack.wait_ready()
    await expect(builder.page.get_by_text("The gateway does not answer.")).to_have_count(0)
    await builder.write("print('back')\n")
    await builder.try_it()
    await expect(builder.output.locator(".run-output-content")).to_have_text("back\n")


@pytest.mark.parametrize("path", sorted((*TEMPLATES.glob("*.py"), *EXAMPLES.glob("*.py"))), ids=lambda path: path.stem)
async def test_every_template_and_example_runs(http: httpx.AsyncClient, path: Path) -> None:
    if path.parent == TEMPLATES:
        assert f'"./{path.name}?raw"' in (TEMPLATES / "index.ts").read_text(), "a template nobody can choose"
    else:
        assert f'"./examples/{path.name}?coloured"' in EXAMPLES.with_suffix(".ts").read_text(), "an example nobody sees"
    source = path.read_text()
    checked = await http.post("/api/plugins/check", json={"source": source})
    assert checked.json() == {"ok": True, "problems": []}
    # A few words show that it works.
    source = re.sub(r'"num_predict": \d+', '"num_predict": 4', source)
    sample = {"json_report": '[{"customer": "Ada", "amount": 2}]', "translate": "to: French\nGood morning."}
    body = {"source": source, "input": sample.get(path.stem, "Ada met Charles in London.\nIt was cold.")}
    result = (await http.post("/api/plugins/try", json=body, timeout=100)).json()
    assert result["success"], json.dumps(result)
    assert result["output"].strip()
