"""Writing a plugin in the browser: help for the SDK and the models, problems as one types, templates."""

import asyncio
import re

from playwright.async_api import expect

from tests.web.builder_page import BuilderPage


async def test_every_key_arrives_however_fast_it_is_typed(builder: BuilderPage) -> None:
    await builder.write("")
    typed = "".join(f"value_{i} = {i} * 2  # a comment that is long enough\n" for i in range(12))
    await builder.type_at_end(typed)
    assert await builder.source() == typed


async def test_names_of_the_sdk_come_with_their_import(builder: BuilderPage) -> None:
    await builder.write('"""A plugin."""\n')
    await builder.type_at_end("get_inp")
    suggestions = builder.page.locator(".suggest-widget")
    await expect(suggestions.get_by_role("option", name=re.compile("^get_input,"))).to_be_visible()
    await builder.page.keyboard.press("Enter")
    source = await builder.source()
    assert "from platform_sdk import get_input\n" in source
    assert source.rstrip().endswith("get_input()")


async def test_models_that_are_there_are_offered_where_one_is_named(builder: BuilderPage) -> None:
    await builder.write("from platform_sdk import call_ai\n")
    await builder.type_at_end('answer = call_ai("')
    suggestions = builder.page.locator(".suggest-widget")
    await expect(suggestions.get_by_role("option", name=re.compile("llama3.2:latest"))).to_be_visible()
    hints = builder.page.locator(".parameter-hints-widget")
    await expect(hints).to_contain_text("an approved model's exact name")
    await builder.page.keyboard.type("llama")
    await builder.page.keyboard.press("Enter")
    await builder.page.keyboard.type(', "Hello")')
    assert 'call_ai("llama3.2:latest", "Hello")' in await builder.source()


async def test_hovering_explains(builder: BuilderPage) -> None:
    await builder.write("from platform_sdk import send_output\n\n\n\n\n\n\nsend_output(1)\n")
    # By keyboard: what the cursor is on.
    await builder.page.keyboard.press("ControlOrMeta+End")
    await builder.page.keyboard.press("ArrowUp")
    await builder.page.keyboard.press("F1")
    await builder.page.keyboard.type("Show or Focus Hover")
    await builder.page.keyboard.press("Enter")
    hover = builder.page.locator(".monaco-hover:visible").first
    await expect(hover).to_contain_text("Send a piece of output")
    await expect(hover).to_contain_text("send_output(value: object) -> None")


async def test_problems_are_shown_as_one_types_and_lead_to_their_place(builder: BuilderPage) -> None:
    await expect(builder.problems).to_contain_text("No problems")
    await builder.write("x = 1\n\nimport numpy\n")
    await expect(builder.problems).to_contain_text("there is no module 'numpy' in the sandbox")
    await expect(builder.problems.get_by_role("status")).to_contain_text("1 problem")
    await expect(builder.page.locator(".squiggly-error")).to_be_visible()
    await builder.problems.get_by_role("button").click()
    # The editor is gone to in the next frame.
    async with asyncio.timeout(15):
        while await builder.cursor_line() != 3:
            pass
    await builder.write("def f(:\n")
    await expect(builder.problems).to_contain_text("invalid syntax")
    await builder.write("x = 1\n")
    await expect(builder.problems).to_contain_text("No problems")


async def test_a_checker_that_does_not_answer_is_said_and_asked_again(builder: BuilderPage) -> None:
    builder.page.watched.expected += ["ERR_FAILED", "Failed to load resource"]  # type: ignore[attr-defined]
    await expect(builder.problems).to_contain_text("No problems")
    await builder.page.route("**/api/plugins/check", lambda route: route.abort())
    await builder.write("import numpy\n")
    await expect(builder.problems).to_contain_text("Not checked")
    await builder.page.unroute("**/api/plugins/check")
    await builder.page.get_by_role("button", name="Try now").click()
    await expect(builder.problems).to_contain_text("numpy")


async def test_templates_replace_the_source_and_undo_brings_it_back(builder: BuilderPage) -> None:
    await builder.write("mine = 1\n")
    await builder.page.get_by_role("button", name="Templates").click()
    await builder.page.get_by_role("menuitem", name="JSON in, table out").click()
    assert "Adds up a list of orders" in await builder.source()
    await expect(builder.page.get_by_role("textbox", name="Input")).to_have_value(re.compile("Grace"))
    await expect(builder.page.get_by_role("radio", name="JSON")).to_be_checked()
    await builder.try_it()
    await expect(builder.output.get_by_role("cell", name="30.00")).to_be_visible()
    await builder.focus()
    await builder.page.keyboard.press("ControlOrMeta+z")
    assert await builder.source() == "mine = 1\n"


async def test_a_file_can_be_opened(builder: BuilderPage) -> None:
    opened = {"name": "mine.py", "mimeType": "text/x-python", "buffer": "print('ä')\n".encode()}
    await builder.page.get_by_label("Open a source file").set_input_files(opened)  # type: ignore[arg-type]
    assert await builder.source() == "print('ä')\n"
    large = {"name": "large.py", "mimeType": "text/x-python", "buffer": b"#" * 1_000_001}
    await builder.page.get_by_label("Open a source file").set_input_files(large)  # type: ignore[arg-type]
    await expect(builder.page.get_by_text("a source has at most")).to_be_visible()
    assert await builder.source() == "print('ä')\n"


async def test_the_reference_puts_a_call_and_its_import_into_the_source(builder: BuilderPage) -> None:
    await builder.write("x = 1\n")
    await builder.page.keyboard.press("ControlOrMeta+End")
    await builder.page.get_by_role("tab", name="Reference").click()
    await builder.page.locator(".reference summary", has_text="call_ai").click()
    await expect(builder.page.locator(".reference")).to_contain_text("Ask a model and wait for its whole answer")
    await builder.page.get_by_role("button", name="Insert call_ai").click()
    assert await builder.source() == "from platform_sdk import call_ai\n\nx = 1\ncall_ai(model, prompt)"


async def test_the_app_s_own_keys_work_inside_the_editor(builder: BuilderPage) -> None:
    await builder.focus()
    await builder.page.keyboard.press("ControlOrMeta+k")
    await expect(builder.page.get_by_role("combobox")).to_be_focused()
    await builder.page.keyboard.press("Escape")
    await builder.focus()
    await builder.page.keyboard.press("ControlOrMeta+s")
    await expect(builder.dialog.get_by_role("heading", name="Deploy")).to_be_visible()
    await builder.page.keyboard.press("Escape")
    # Tab is the editor's until it is told to let it go.
    await builder.focus()
    await builder.page.keyboard.press("Control+m")
    await builder.page.keyboard.press("Tab")
    assert not await builder.page.evaluate("document.activeElement.closest('.code-editor')")


async def test_source_of_any_kind_survives(builder: BuilderPage) -> None:
    source = 'x = "\u2028 \u0000 \U0001f40d <script>alert(1)</script> \u202e"\n'
    await builder.write(source.replace("\u0000", "\\0"))
    assert await builder.source() == source.replace("\u0000", "\\0")
    await builder.is_kept()
    await builder.page.reload()
    await builder.ready()
    assert await builder.source() == source.replace("\u0000", "\\0")
