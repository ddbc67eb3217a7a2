"""From a draft to a plugin: details, differences, races."""

import re
import uuid
from collections.abc import AsyncIterator

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.web.builder_page import BuilderPage

FIRST = '"""Says one."""\nfrom platform_sdk import send_output\nsend_output("one")\n'
SECOND = '"""Says two."""\nfrom platform_sdk import send_output\nsend_output("two")\n'


@pytest.fixture
async def name(http: httpx.AsyncClient) -> AsyncIterator[str]:
    """A name that is free, and free again afterwards."""
    chosen = f"built_{uuid.uuid4().hex[:8]}"
    yield chosen
    await http.delete(f"/api/plugins/{chosen}")


async def upload(http: httpx.AsyncClient, name: str, source: str) -> str:
    """Deploy beside the browser; the revision."""
    reply = await http.post("/api/plugins/upload", files={"file": (f"{name}.py", source.encode())})
    assert reply.status_code == 200, reply.text
    return str(reply.json()["revision"])


async def code(http: httpx.AsyncClient, name: str) -> dict[str, object]:
    """What is deployed."""
    reply = await http.get(f"/api/plugins/{name}/code")
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


async def test_a_new_plugin_with_all_its_details(builder_tab: Page, http: httpx.AsyncClient, name: str) -> None:
    page = builder_tab
    builder = await BuilderPage(page).open()
    await builder.write(FIRST)
    await page.get_by_role("button", name="Deploy…").click()
    field = builder.dialog.get_by_label("Name", exact=True)
    await expect(field).to_have_value("says_one")
    await expect(builder.dialog.get_by_label("Description")).to_have_value("Says one.")
    for bad, why in (("_x", "must begin with a letter"), ("a b", "letters, digits"), ("x" * 65, "65 characters")):
        await field.fill(bad)
        await expect(builder.dialog).to_contain_text(why)
    await builder.dialog.get_by_role("button", name="Deploy").click()
    await expect(builder.dialog.get_by_role("alert")).to_contain_text("65 characters")
    await field.fill(name)
    await builder.dialog.get_by_label("Description").fill("Says **one**.")
    await builder.dialog.get_by_role("radio", name="JSON").click()
    await builder.dialog.get_by_label("Hint for the input").fill("Anything")
    await builder.dialog.get_by_text("Limits of one execution").click()
    memory = builder.dialog.get_by_label("Memory (MiB)")
    await memory.fill("4000")
    await expect(builder.dialog).to_contain_text("At most 512 MiB here.")
    await memory.fill("256")
    await builder.dialog.get_by_role("button", name="Deploy").click()
    await expect(builder.dialog).to_contain_text(f"{name} is deployed")
    deployed = await code(http, name)
    assert deployed["code"] == FIRST
    assert (deployed["description"], deployed["input_type"]) == ("Says **one**.", "json")
    assert deployed["input_hint"] == "Anything"
    limits = deployed["limits"]
    assert isinstance(limits, dict)
    assert limits["memory_bytes"] == 256 * 1024 * 1024
    await builder.dialog.get_by_role("button", name="Keep editing").click()
    await expect(page).to_have_url(f"/builder/{name}")
    await builder.ready()
    assert await builder.source() == FIRST
    # The draft it was has become the plugin.
    assert await builder.draft() is None


async def test_deploying_over_a_plugin_shows_the_difference_first(
    builder_tab: Page, http: httpx.AsyncClient, name: str
) -> None:
    page = builder_tab
    await upload(http, name, FIRST)
    builder = await BuilderPage(page).open(f"/builder/{name}")
    await builder.write(SECOND)
    await page.keyboard.press("ControlOrMeta+s")
    await builder.dialog.get_by_role("button", name="Review and deploy").click()
    await expect(builder.dialog).to_contain_text(f"What changes in {name}")
    await expect(builder.dialog.locator(".diff-view")).to_contain_text("Says two")
    await expect(builder.dialog.locator(".diff-view")).to_contain_text("Says one")
    assert (await code(http, name))["code"] == FIRST
    await builder.dialog.get_by_role("button", name="Deploy").click()
    await expect(builder.dialog).to_contain_text(f"{name} is deployed")
    assert (await code(http, name))["code"] == SECOND
    await builder.dialog.get_by_role("button", name="Keep editing").click()
    await expect(page.locator(".builder-notice")).to_have_count(0)
    await expect(page.get_by_role("button", name="Discard changes")).to_have_count(0)


async def test_a_name_that_is_taken_is_not_replaced_unseen(
    builder_tab: Page, http: httpx.AsyncClient, name: str
) -> None:
    page = builder_tab
    page.watched.expected += ["status of 409"]  # type: ignore[attr-defined]
    await upload(http, name, FIRST)
    builder = await BuilderPage(page).open()
    await builder.write(SECOND)
    await page.get_by_role("button", name="Deploy…").click()
    await builder.dialog.get_by_label("Name", exact=True).fill(name)
    await builder.dialog.get_by_role("button", name="Deploy").click()
    await expect(builder.dialog).to_contain_text("There is a plugin of this name already")
    await expect(builder.dialog.locator(".diff-view")).to_contain_text("Says one")
    assert (await code(http, name))["code"] == FIRST
    await builder.dialog.get_by_role("button", name="Back").click()
    await expect(builder.dialog.get_by_label("Name", exact=True)).to_have_value(name)


async def test_who_was_quicker_is_shown_instead_of_replaced(
    builder_tab: Page, http: httpx.AsyncClient, name: str
) -> None:
    page = builder_tab
    page.watched.expected += ["status of 409"]  # type: ignore[attr-defined]
    await upload(http, name, FIRST)
    builder = await BuilderPage(page).open(f"/builder/{name}")
    await builder.write(SECOND)
    await page.get_by_role("button", name="Deploy…").click()
    await builder.dialog.get_by_role("button", name="Review and deploy").click()
    await expect(builder.dialog.locator(".diff-view")).to_contain_text("Says two")
    await upload(http, name, FIRST.replace("one", "three"))
    await builder.dialog.get_by_role("button", name="Deploy").click()
    await expect(builder.dialog.get_by_role("alert")).to_contain_text("was deployed meanwhile")
    await expect(builder.dialog.locator(".diff-view")).to_contain_text("Says three")
    assert "three" in str((await code(http, name))["code"])
    await builder.dialog.get_by_role("button", name="Deploy").click()
    await expect(builder.dialog).to_contain_text(f"{name} is deployed")
    assert (await code(http, name))["code"] == SECOND


async def test_a_draft_hears_that_its_plugin_was_deployed_anew(
    builder_tab: Page, http: httpx.AsyncClient, name: str
) -> None:
    page = builder_tab
    await upload(http, name, FIRST)
    builder = await BuilderPage(page).open(f"/builder/{name}")
    await builder.write(SECOND)
    await builder.is_kept()
    await upload(http, name, FIRST.replace("one", "three"))
    await page.reload()
    await builder.ready()
    notice = page.locator(".builder-notice")
    await expect(notice).to_contain_text("was deployed since this draft began")
    await notice.get_by_role("button", name="Compare").click()
    await expect(builder.dialog.locator(".diff-view")).to_contain_text("Says three")
    await page.keyboard.press("Escape")
    assert await builder.source() == SECOND
    await notice.get_by_role("button", name="Take what is deployed").click()
    await expect(notice).to_have_count(0)
    assert "three" in await builder.source()


async def test_source_that_does_not_compile_is_refused_with_its_place(builder_tab: Page) -> None:
    page = builder_tab
    page.watched.expected += ["status of 400"]  # type: ignore[attr-defined]
    builder = await BuilderPage(page).open()
    await builder.write("x = 1\ny = = 2\n")
    await expect(builder.problems).to_contain_text("invalid syntax")
    await page.get_by_role("button", name="Deploy…").click()
    await expect(builder.dialog).to_contain_text("The source has a problem")
    await builder.dialog.get_by_label("Name", exact=True).fill("broken")
    await builder.dialog.get_by_role("button", name="Deploy").click()
    await expect(builder.dialog.get_by_role("alert")).to_contain_text("line 2")
    await builder.dialog.get_by_role("button", name="Go to line 2").click()
    await expect(builder.dialog).to_have_count(0)
    assert await builder.cursor_line() == 2


async def test_a_plugin_that_is_not_there(builder_tab: Page) -> None:
    page = builder_tab
    page.watched.expected += ["status of 404"]  # type: ignore[attr-defined]
    await page.goto("/builder/no_such_plugin")
    await expect(page.get_by_role("alert")).to_contain_text("There is no such plugin")
    await page.get_by_role("link", name="Write a new one").click()
    await BuilderPage(page).ready()


async def test_an_archive_is_shown_to_be_read(builder_tab: Page, http: httpx.AsyncClient, name: str) -> None:
    page = builder_tab
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(
            "plugin.py", "from helper import word\nfrom platform_sdk import send_output\nsend_output(word)\n"
        )
        archive.writestr("helper.py", 'word = "hello"\n')
    reply = await http.post("/api/plugins/upload", files={"file": (f"{name}.zip", packed.getvalue())})
    assert reply.status_code == 200, reply.text
    builder = await BuilderPage(page).open(f"/builder/{name}")
    await expect(page.locator(".builder-notice")).to_contain_text("an archive of 2 files")
    await builder.type_at_end("x")
    assert "from helper import word" in await builder.source()
    assert not (await builder.source()).endswith("x")
    await expect(page.get_by_role("button", name=re.compile("^(Try|Deploy)"))).to_have_count(0)
