"""``python -m sdk.cli``: the same as ``wasmforge``."""

import sys

from sdk.cli.main import main

sys.exit(main())
