"""Answers that will do again."""

import asyncio
from dataclasses import replace

import pytest

from broker.cache import Cache, key_of
from broker.ticket import Ticket
from schemas.ai import GenerateRequest
from schemas.errors import AIErrorCode, AIFailure
from schemas.names import DRAFT

TICKET = Ticket("generate", "m", "m", 0.0, plugin="p")
REQUEST = GenerateRequest("m", "Hi", options={"seed": 1, "temperature": 0})


class Model:
    """Answers when a test says so, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers: asyncio.Queue[str | BaseException] = asyncio.Queue()
        self.now = 0.0
        self.cache = Cache(100_000, 60.0, lambda: self.now)

    async def _ask(self) -> str:
        self.asked += 1
        answer = await self.answers.get()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def ask(self, key: str = "k") -> "asyncio.Task[tuple[str, bool]]":
        """A request: its answer, and whether another had it made."""

        async def run() -> tuple[str, bool]:
            kept = await self.cache.answer(key, self._ask, len)
            return kept.value, kept.cached

        return asyncio.ensure_future(run())

    def says(self, *answers: str | BaseException) -> None:
        """Answer those who ask, in their order."""
        for answer in answers:
            self.answers.put_nowait(answer)


async def settled() -> None:
    """Until nobody has anything more to do by himself."""
    for _ in range(6):
        await asyncio.sleep(0)


async def test_equal_requests_are_asked_once_and_kept() -> None:
    model = Model()
    asked = [model.ask() for _ in range(5)]
    await settled()
    assert model.asked == 1
    model.says("fine")
    assert sorted(await asyncio.gather(*asked)) == [("fine", False)] + [("fine", True)] * 4
    assert await model.ask() == ("fine", True)
    assert model.asked == 1


async def test_other_requests_are_others() -> None:
    model = Model()
    model.says("one", "two")
    assert await model.ask("a") == ("one", False)
    assert await model.ask("b") == ("two", False)


async def test_when_who_asks_is_cancelled_the_next_asks() -> None:
    model = Model()
    first, second, third = (model.ask() for _ in range(3))
    await settled()
    first.cancel()
    await settled()
    assert model.asked == 2
    model.says("fine")
    assert await second == ("fine", False)
    assert await third == ("fine", True)
    assert first.cancelled()


async def test_all_but_one_may_leave_in_the_same_moment() -> None:
    model = Model()
    asked = [model.ask() for _ in range(4)]
    await settled()
    for each in asked[:3]:
        each.cancel()
    await settled()
    model.says("fine")
    assert await asked[3] == ("fine", False)
    assert model.asked == 2


async def test_who_waits_may_leave_alone() -> None:
    model = Model()
    first, second = model.ask(), model.ask()
    await settled()
    second.cancel()
    model.says("fine")
    assert await first == ("fine", False)
    assert model.asked == 1


async def test_a_failure_that_everybody_would_meet_reaches_everybody_and_is_not_kept() -> None:
    model = Model()
    asked = [model.ask() for _ in range(3)]
    await settled()
    model.says(AIFailure("no", AIErrorCode.REFUSED))
    for each in asked:
        with pytest.raises(AIFailure, match="no"):
            await each
    assert model.asked == 1
    model.says("fine")
    assert await model.ask() == ("fine", False)


@pytest.mark.parametrize("code", [AIErrorCode.TIMEOUT, AIErrorCode.BUDGET_EXCEEDED, AIErrorCode.BUSY])
async def test_a_failure_of_one_request_is_its_own(code: AIErrorCode) -> None:
    model = Model()
    first, second, third = (model.ask() for _ in range(3))
    await settled()
    model.says(AIFailure("mine", code), "fine")
    with pytest.raises(AIFailure, match="mine"):
        await first
    assert await second == ("fine", False)
    assert await third == ("fine", True)


async def test_an_answer_that_will_do_for_nobody_else_is_not_kept_and_who_waits_asks_again() -> None:
    model = Model()
    asked: list[str] = []

    async def ask() -> str:
        asked.append("")
        await asyncio.sleep(0)
        return "short" if len(asked) == 1 else "whole"

    answers = [model.cache.answer("k", ask, lambda answer: None if answer == "short" else 5) for _ in range(3)]
    kept = await asyncio.gather(*answers)
    assert [(each.value, each.cached) for each in kept] == [("short", False), ("whole", False), ("whole", True)]
    assert (await model.cache.answer("k", ask, len)).value == "whole"
    assert len(asked) == 2


async def test_old_answers_will_not_do() -> None:
    model = Model()
    model.says("old", "new")
    await model.ask()
    model.now = 59.0
    assert await model.ask() == ("old", True)
    model.now = 60.0
    assert await model.ask() == ("new", False)
    assert len(model.cache) == 1


async def test_the_least_recently_used_is_forgotten_first() -> None:
    model = Model()
    for number in range(9):
        model.says("x" * 11_000)
        await model.ask(str(number))
        assert await model.ask("0") == ("x" * 11_000, True)
    assert model.cache.bytes <= 100_000
    model.says("again")
    assert await model.ask("1") == ("again", False)


async def test_an_answer_that_is_too_large_is_not_kept() -> None:
    model = Model()
    for _ in range(2):
        model.says("x" * 20_000)
        assert await model.ask() == ("x" * 20_000, False)
    assert model.cache.bytes == 0


def test_whatever_differs_makes_another_key() -> None:
    key = key_of(TICKET, REQUEST)
    assert key == key_of(replace(TICKET, caller="other", execution_id="e", deadline=9.0), REQUEST)
    assert key == key_of(TICKET, GenerateRequest("m", "Hi", options={"temperature": 0, "seed": 1}))
    others = {
        key_of(replace(TICKET, plugin="q"), REQUEST),
        key_of(replace(TICKET, target="n"), REQUEST),
        key_of(replace(TICKET, operation="chat"), REQUEST),
        key_of(TICKET, GenerateRequest("m", "Hi ", options={"temperature": 0, "seed": 1})),
        key_of(TICKET, GenerateRequest("m", "Hi", options={"temperature": 0, "seed": 2})),
        key_of(TICKET, GenerateRequest("m", "Hi", system="x", options={"temperature": 0, "seed": 1})),
    }
    assert len(others | {key}) == 7


def test_drafts_share_a_name_and_no_answers() -> None:
    one, two = (replace(TICKET, plugin=DRAFT, execution_id=run) for run in ("one", "two"))
    assert key_of(one, REQUEST) == key_of(replace(one), REQUEST)
    assert key_of(one, REQUEST) != key_of(two, REQUEST)
    assert key_of(TICKET, REQUEST) == key_of(replace(TICKET, execution_id="another"), REQUEST)
