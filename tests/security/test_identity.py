"""What a plugin learns of the host and of other plugins; what it can't foresee."""

import getpass
import os
import platform
import socket
import sys
from pathlib import Path

import pytest

from executor.pool import Pool
from tests.security.attacks import clocks
from tests.security.attacks.attack import PREAMBLE, Attack
from tests.security.attacks.takeover import SEARCH, disguised
from tests.security.running import Runner, plugin_of, revision


@pytest.mark.parametrize("attack", clocks.DIFFERENT, ids=lambda attack: attack.name)
async def test_no_two_calls_draw_the_same(run: Runner, attack: Attack) -> None:
    drawn = [await run(plugin_of(attack)) for _ in range(4)]
    assert len({ran.pid for ran in drawn}) == 1, "these must be calls of one process, from one snapshot"
    assert all(ran.error_type == "" for ran in drawn), drawn[0].error
    assert len({ran.output for ran in drawn}) == len(drawn), drawn[0].output


async def test_two_processes_draw_differently(run: Runner) -> None:
    plugins = [revision("import random\nprint(random.getrandbits(128))", name=name) for name in ("a", "b")]
    drawn = [await run(plugin) for plugin in plugins]
    assert drawn[0].pid != drawn[1].pid
    assert drawn[0].output != drawn[1].output


async def test_nothing_in_an_interpreter_names_the_host(run: Runner, security_pool: Pool) -> None:
    (attack,) = (attack for attack in clocks.ATTACKS if attack.name == "all that it knows of itself")
    told = (await run(plugin_of(attack))).output
    assert "wasi" in told
    names = {
        socket.gethostname(), sys.executable, sys.prefix, str(Path.cwd()), str(Path.home()), str(security_pool.engine),
        str(Path(__file__).parents[2]), platform.release(), getpass.getuser() + "@",
    } | {value for name, value in os.environ.items() if name.startswith("WASMFORGE")}  # fmt: skip
    assert {name for name in names if len(name) > 3 and name in told} == set()


async def test_a_guest_that_reads_all_its_memory_finds_no_other_plugins_data(run: Runner) -> None:
    word = b"secret-of-somebody-else-41c0"
    keeper = revision(
        PREAMBLE + "kept = platform_sdk.get_input_bytes() * 100\nplatform_sdk.send_output('kept')", name="keeper"
    )
    assert (await run(keeper, word)).output == "kept"
    search = SEARCH.replace("SECRETS", repr([disguised(word)]))
    # Itself first: what was put into its own memory must be found, or the search proves nothing.
    planted = f"here = bytes(byte - 1 for byte in {disguised(word)!r})\n"
    found = await run(revision(PREAMBLE + planted + search, name="searcher"))
    assert found.output not in ("", "[]"), found.error
    assert (await run(revision(PREAMBLE + search, name="thief"))).output == "[]"


async def test_nor_the_data_of_its_own_earlier_calls(run: Runner) -> None:
    word = b"secret-of-an-earlier-call-99e2"
    plugin = revision(PREAMBLE + SEARCH.replace("SECRETS", repr([disguised(word)])), name="searcher of calls")
    earlier = await run(plugin, word * 100)
    assert earlier.output not in ("", "[]"), "it finds what the call itself was given"
    later = await run(plugin)
    assert later.pid == earlier.pid
    assert later.output == "[]"


async def test_equal_sources_of_two_plugins_share_no_process(run: Runner) -> None:
    first, second, again = [await run(revision("print(1)", name=name)) for name in ("mine", "yours", "mine")]
    assert first.pid != second.pid
    assert first.pid == again.pid
