"""Set this machine up: ``python3 -m deploy.bootstrap [stack|executor|dev]``. Standard library only.

Everything goes into the project's ``.venv`` and the user's cache folder. What is there already is left as it is, so
running it again costs nothing, and a run that was cut short goes on where it stopped.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  # said before anything newer is imported
    sys.exit(f"WasmForge needs Python 3.11 or newer, this is {sys.version.split()[0]}; set PYTHON=python3.11")

from deploy.setup.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
