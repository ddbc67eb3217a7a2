"""``python -m executor.replay``: one tape, from standard input to standard output."""

import asyncio
import logging
import os
import sys

import msgspec

from executor.backend import BaseFailed
from executor.kinds import CannotUse
from executor.replay.run import replay
from executor.settings import BadSetting, Settings
from schemas.errors import WasmForgeError
from schemas.tapes import read_tape


def main() -> int:
    """Replay the tape on standard input; 0 if it ran, whatever it came to, else 1 with a sentence on standard error."""
    logging.basicConfig(level="ERROR", format="%(message)s")
    try:
        tape = read_tape(sys.stdin.buffer.read())
        result = asyncio.run(replay(tape, Settings.read(os.environ)))
    except (CannotUse, BaseFailed, BadSetting, WasmForgeError) as error:
        print(error, file=sys.stderr)
        return 1
    sys.stdout.buffer.write(msgspec.json.encode(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
