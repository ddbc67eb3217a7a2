"""Every hostile plugin of the corpus gets what it must, and neither its own next call nor anybody else's notices."""

import random
from collections import Counter
from typing import Any

import pytest

from tests.security.attacks import CASES, FAMILIES
from tests.security.attacks.attack import PREAMBLE, Attack
from tests.security.running import Runner, differences, plugin_of, revision

OTHER = revision(PREAMBLE + "platform_sdk.send_output(platform_sdk.get_input()[::-1])", name="other")
SECRET = b"the other's secret 7f3a"
LEAST_CASES = 120


@pytest.fixture(scope="session")
async def untouched(run: Runner) -> dict[str, Any]:
    """What the other plugin finds in its interpreter before any attack."""
    found, _ = await run.probe(OTHER)
    return found


async def held(run: Runner, attack: Attack, untouched: dict[str, Any]) -> None:
    """Run one attack, judge what came of it, and look for traces."""
    plugin = plugin_of(attack)
    before, pid = ({}, 0) if attack.bare else await run.probe(plugin)
    ran = await run(plugin, attack.data)
    allowed = (attack.error,) if isinstance(attack.error, str) else attack.error
    assert ran.error_type in allowed, f"{ran.error_type}: {ran.error}\n{ran.output[:500]}"
    assert attack.says in ran.error
    if isinstance(attack.output, str):
        assert ran.output == attack.output
    elif attack.output is not None:
        assert attack.output(ran.output), ran.output[:500]
    if attack.fit is not None:
        assert ran.fit == attack.fit, f"fit: {ran.fit}, {ran.error}"
    if ran.fit and not attack.bare:
        after, same_pid = await run.probe(plugin)
        assert same_pid == pid, "a process that is fit for another call did not get it"
        assert differences(before, after) == {}
    answered = await run(OTHER, SECRET)
    assert answered.outcome.output == SECRET[::-1], answered.error
    found, _ = await run.probe(OTHER)
    assert differences(untouched, found) == {}


@pytest.mark.parametrize(("family", "attack"), CASES, ids=[f"{family}-{attack.name}" for family, attack in CASES])
async def test_attack(run: Runner, untouched: dict[str, Any], family: str, attack: Attack) -> None:
    await held(run, attack, untouched)


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_twice_in_any_order(run: Runner, untouched: dict[str, Any]) -> None:
    seed = random.randrange(1 << 32)
    order = CASES * 2
    random.Random(seed).shuffle(order)
    for family, attack in order:
        try:
            await held(run, attack, untouched)
        except AssertionError as error:
            raise AssertionError(f"{family}: {attack.name} (order of seed {seed}): {error}") from error


def test_the_corpus_is_what_the_documentation_says() -> None:
    assert len(CASES) >= LEAST_CASES
    assert Counter(attack.name for _, attack in CASES).most_common(1)[0][1] == 1, "two attacks of one name"
    assert all(FAMILIES.values())
