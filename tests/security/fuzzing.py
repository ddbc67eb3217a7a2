"""Coverage-guided fuzzing of one target, with libFuzzer's own options; needs requirements/fuzz.txt.

python -m tests.security.fuzzing process tests/security/corpus/process -max_total_time=60
"""

import sys

import atheris  # type: ignore[import-not-found]

with atheris.instrument_imports(include=["executor", "schemas"]):
    from tests.security.fuzz import TARGETS

if __name__ == "__main__":
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
