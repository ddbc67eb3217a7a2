"""Every example through the whole platform: what calls no model exactly, what calls one by the shape of its answer."""

import ast
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.errors import PluginError
from sdk.cli.sources import read_source
from sdk.client import Done, Output, WasmForge
from tests.support.platform import Platform

FOLDER = Path(__file__).parents[2] / "sdk" / "examples"
pytestmark = pytest.mark.timeout(300)  # a small model on a busy machine takes its time
FILES = sorted(FOLDER.glob("*.py"))

ARTICLE = (FOLDER / "article.txt").read_text()


@pytest.fixture(scope="module")
async def wf(stack: Platform) -> AsyncIterator[WasmForge]:
    async with WasmForge(stack.http_url) as client:
        for file in FILES:
            await client.deploy(file.stem, file.read_bytes())
        yield client


EXACT = {
    "csv_stats": (
        "city;people;area\nBerlin;3700000;891.7\nParis;2100000;105.4\nBerlin;;\n",
        "| column | filled | kind | min | median | mean | max |\n"
        "|---|--:|---|--:|--:|--:|--:|\n"
        "| city | 3 | text, 2 different |  | Berlin |  |  |\n"
        "| people | 2 | number | 2100000 | 2900000 | 2900000 | 3700000 |\n"
        "| area | 2 | number | 105.4 | 498.55 | 498.55 | 891.7 |\n"
        "\n3 rows, 3 columns",
    ),
    "markdown_toc": (
        "# A *b* `c`\n```\n# no\n```\n## B [x](y)\n## B x\n~~~py\n# no\n```\n~~~\n### C ###\n#no\n",
        "- [A b c](#a-b-c)\n  - [B x](#b-x)\n  - [B x](#b-x-1)\n    - [C](#c)",
    ),
    "anonymize_log": (
        "12:30:45 user=bob from 10.0.0.1 bob@example.com\n10.0.0.1 Bearer abc.def== 2001:db8::1 4111 1111 1111 1111\n"
        "09:00:01 4111111111111111 /home/bob/x password=hunter2&id=550e8400-e29b-41d4-a716-446655440000\n",
        "12:30:45 user=<USER-1> from <IPV4-1> <EMAIL-1>\n<IPV4-1> Bearer <SECRET-1> <IPV6-1> <CARD-1>\n"
        "09:00:01 <CARD-2> /home/<USER-1>/x password=<SECRET-2>&id=<UUID-1>\n",
    ),
    "text_diff": (
        '{"old": "a\\nb\\nc", "new": "a\\nB\\nc\\nd"}',
        "--- old\n+++ new\n@@ -1,3 +1,4 @@\n a\n-b\n+B\n c\n+d\n2 added, 1 removed",
    ),
}


@pytest.mark.parametrize("name", EXACT)
async def test_without_a_model(wf: WasmForge, name: str) -> None:
    given, expected = EXACT[name]
    assert await wf.run(name, given) == expected


@pytest.mark.parametrize(
    "name", ["csv_stats", "text_diff", "translate", "long_summary", "assistant", "search", "classify_reviews"]
)
async def test_input_that_can_not_be_used_is_refused_in_a_sentence(wf: WasmForge, name: str) -> None:
    with pytest.raises(PluginError, match=r"send|empty") as caught:
        await wf.run(name, "")
    assert "Traceback" not in caught.value.message


async def test_a_folder_of_modules_a_package_and_a_table(wf: WasmForge) -> None:
    await wf.deploy("style_check", read_source(str(FOLDER / "style_check")).content)
    assert await wf.run("style_check", "In order to win,\nutilize very good AI and/or people.") == (
        "| line | column | found | use | why |\n| --: | --: | --- | --- | --- |\n"
        "| 1 | 1 | In order to | to | shorter |\n| 2 | 1 | utilize | use | shorter |\n"
        "| 2 | 9 | very |  | says nothing |\n| 2 | 22 | and/or | or | or includes and |"
    )


async def test_summarize(wf: WasmForge) -> None:
    assert len((await wf.run("summarize", ARTICLE)).split()) >= 5


async def test_story_is_told_word_by_word(wf: WasmForge) -> None:
    events = [event async for event in wf.stream("story", "a small whale")]
    pieces = [event.text for event in events if isinstance(event, Output)]
    assert len(pieces) > 2
    told = "".join(pieces)
    assert told.startswith("A story about a small whale\n\n")
    assert len(told.split()) > 10
    assert isinstance(events[-1], Done)


async def test_assistant_goes_on_without_tools_where_the_model_has_none(wf: WasmForge) -> None:
    assert (await wf.run("assistant", "What colour is the sky?")).strip()


async def test_search(wf: WasmForge) -> None:
    found = json.loads(await wf.run("search", "Who pays for the buses?\n" + ARTICLE.replace(". ", ".\n\n")))
    assert len(found) == 3
    assert sorted(found, key=lambda each: each["score"], reverse=True) == found
    assert all(each["paragraph"] in ARTICLE for each in found)


async def test_classify_reviews(wf: WasmForge) -> None:
    lines = (await wf.run("classify_reviews", "Loved it.\n\nNever again!")).splitlines()
    assert [line.partition("\t")[2] for line in lines] == ["Loved it.", "Never again!"]
    assert {line.partition("\t")[0] for line in lines} <= {"good", "bad"}


async def test_multi_step_streams_its_first_step(wf: WasmForge) -> None:
    events = [event async for event in wf.stream("multi_step", ARTICLE)]
    pieces = [event.text for event in events if isinstance(event, Output)]
    assert len(pieces) == 2
    assert re.fullmatch(r"Key points\n.+", pieces[0], re.DOTALL)
    assert re.fullmatch(r"\n\nHeadline\n.+", pieces[1])
    assert isinstance(events[-1], Done)


async def test_translate(wf: WasmForge) -> None:
    assert (await wf.run("translate", "to: French\nGood morning, everybody.")).strip()


async def test_code_review_is_certain_where_it_can_be(wf: WasmForge) -> None:
    source = "def f(x=[]):\n    try:\n        return eval(x)\n    except:\n        pass\n"
    findings, _, review = (await wf.run("code_review", source)).partition("\n\nReview\n")
    assert findings == (
        "Findings\nline 1: f has a mutable default, shared by all its calls\nline 1: f has no docstring\n"
        "line 3: eval runs whatever it is given\nline 4: a bare except also catches KeyboardInterrupt"
    )
    assert review
    assert "no model could be asked" not in review
    assert await wf.run("code_review", "x = 1\ndef f(:\n") == "line 2: invalid syntax"


async def test_extract_contact_believes_only_what_is_in_the_text(wf: WasmForge) -> None:
    letter = "Hello,\n\nplease call me back.\n\nAnna Smith\nExample Ltd\nanna.smith@example.com\n+49 30 1234567\n"
    contact = json.loads(await wf.run("extract_contact", letter))
    assert contact["email"] == "anna.smith@example.com"
    assert contact["telephone"] == "+49 30 1234567"
    for key in ("name", "company"):
        assert contact[key] is None or contact[key] in letter


@pytest.mark.parametrize(
    ("ticket", "department", "urgent"),
    [
        ("I was charged twice, I want a refund right now", "billing", True),
        ("I can't log in since my password was changed", "access", False),
        ("Nice weather", "general", False),
    ],
)
async def test_route_ticket(wf: WasmForge, ticket: str, department: str, urgent: bool) -> None:
    routed = json.loads(await wf.run("route_ticket", ticket))
    assert (routed["department"], routed["urgent"], routed["words"]) == (department, urgent, len(ticket.split()))
    assert routed["tone"] in ("angry", "neutral", "friendly")


async def test_long_summary_of_a_text_longer_than_a_prompt(wf: WasmForge) -> None:
    text = "\n\n".join(f"{ARTICLE} That was report number {number}." for number in range(10))
    assert len(text) > 4000
    assert len((await wf.run("long_summary", text)).split()) >= 5


def test_each_says_what_it_is_and_stands_in_the_table() -> None:
    table = (FOLDER / "README.md").read_text()
    for file in FILES:
        docstring = ast.get_docstring(ast.parse(file.read_text())) or ""
        assert "\nInput:" in docstring, file.name
        assert f"wasmforge run {file.stem}" in docstring, file.name
        assert f"({file.name})" in table, file.name
