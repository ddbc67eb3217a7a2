"""Ten thousand plugins, and how little is loaded before the first page can be used."""

import json

from playwright.async_api import Page, Response, Route, expect

from tests.web.conftest import NewPage

MANY = 10_000
FIRST_LOAD_BYTES = 250 * 1024


async def test_ten_thousand_plugins_are_a_list_of_a_few_dozen_cards(new_page: NewPage) -> None:
    page: Page = await new_page()
    plugins = [
        {
            "name": f"plugin_{i:05}", "description": f"Number {i}", "input_type": "text", "input_hint": "", "calls": 1,
            "model_calls": 0, "revision": "0" * 64, "updated_at": "2026-01-01T00:00:00Z",
        }
        for i in range(MANY)
    ]  # fmt: skip

    async def answer(route: Route) -> None:
        await route.fulfill(body=json.dumps(plugins), content_type="application/json")

    await page.route("**/api/plugins/list", answer)
    await page.goto("/plugins")
    await expect(page.get_by_text("10,000 plugins")).to_be_visible()
    assert await page.locator(".plugin-card").count() < 100
    await page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    await expect(page.get_by_role("link", name="plugin_09999", exact=True)).to_be_visible()
    assert await page.locator(".plugin-card").count() < 100
    await page.evaluate("window.scrollTo(0, 0)")
    await page.get_by_role("searchbox").fill("7777")
    await expect(page.get_by_text("1 of 10,000 plugins")).to_be_visible()


async def test_the_first_page_loads_little(page: Page) -> None:
    sizes: dict[str, int] = {}

    def note(response: Response) -> None:
        if response.url.endswith(".js"):
            sizes[response.url] = int(response.headers["content-length"])
            # What is smaller than a packet is not worth compressing.
            assert response.headers.get("content-encoding") in ("br", "gzip") or sizes[response.url] < 1_024

    page.on("response", note)
    await page.goto("/", wait_until="networkidle")
    await expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()
    assert sizes
    assert sum(sizes.values()) <= FIRST_LOAD_BYTES, sizes
