"""The model server as a process: its start, its stop, its file."""

import asyncio
import hashlib
import os
import sys
from pathlib import Path

import httpx
import pytest

from deploy.modelserver import model
from deploy.modelserver.engine import missing_instructions
from deploy.modelserver.settings import BadSetting, Settings
from tests.modelserver.running import MODEL, ModelServer


async def run(environment: dict[str, str]) -> tuple[int, str]:
    """Run the server to its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.modelserver", env=os.environ | environment, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        _, errors = await process.communicate()
    return process.returncode or 0, errors.decode()


async def test_sigterm_lets_a_short_generation_finish(short_folder: Path) -> None:
    server = ModelServer(short_folder)
    await server.start()
    async with httpx.AsyncClient(base_url=server.url, timeout=30, trust_env=False) as http:
        body = {"model": MODEL, "prompt": "Write a story.", "options": {"num_predict": 20, "seed": 3}}
        async with http.stream("POST", "/api/generate", json=body) as response:
            lines = response.aiter_lines()
            await anext(lines)
            stopping = asyncio.create_task(server.stop())
            last = [line async for line in lines][-1]
            assert '"done":true' in last
    assert await stopping == 0


async def test_a_second_start_does_not_read_the_file_again(short_folder: Path) -> None:
    server = ModelServer(short_folder)
    try:
        await server.start()
        assert (short_folder / "cache" / "modelserver-verified.json").exists()
        await server.kill()
        await server.start()
        # Bound of the test, not of the promise: other tests may keep both cores busy.
        assert server.ready_seconds < 6
    finally:
        await server.stop()


async def test_a_taken_port_is_said() -> None:
    async with await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0) as taken:
        port = taken.sockets[0].getsockname()[1]
        code, errors = await run({"WASMFORGE_MODELSERVER": f"127.0.0.1:{port}"})
    assert code == 1
    assert f"can't listen on 127.0.0.1:{port}: Address already in use" in errors
    assert "Traceback" not in errors


async def test_a_bad_setting_is_said() -> None:
    code, errors = await run({"WASMFORGE_MODELSERVER": "nowhere"})
    assert code == 2
    assert (
        errors
        == "ERROR modelserver: WASMFORGE_MODELSERVER is 'nowhere', it must be host:port such as 127.0.0.1:11435\n"
    )


@pytest.mark.parametrize(
    "environment",
    [
        {"WASMFORGE_MODELSERVER": "127.0.0.1:99999"},
        {"WASMFORGE_MODELSERVER": ":1"},
        {"WASMFORGE_MODELSERVER_SLOTS": "0"},
        {"WASMFORGE_MODELSERVER_QUEUE": "many"},
        {"WASMFORGE_LOG": "LOUD"},
    ],
)
def test_settings_that_cannot_be_used(environment: dict[str, str]) -> None:
    with pytest.raises(BadSetting, match=next(iter(environment))):
        Settings.read(environment)


def test_the_cache_folder(tmp_path: Path) -> None:
    assert Settings.read({"WASMFORGE_CACHE": str(tmp_path)}).cache_folder == tmp_path
    assert Settings.read({"XDG_CACHE_HOME": "/x"}).cache_folder == Path("/x/wasmforge")
    assert Settings.read({"HOME": "/home/y"}).cache_folder == Path("/home/y/.cache/wasmforge")


def test_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"right")
    with pytest.raises(model.ModelUnusable, match="has 5 bytes instead of 98,362,432: reinstall"):
        model.verify(file, tmp_path)
    monkeypatch.setattr(model, "SIZE_BYTES", 5)
    with pytest.raises(model.ModelUnusable, match="has the SHA-256"):
        model.verify(file, tmp_path)
    monkeypatch.setattr(model, "SHA256", hashlib.sha256(b"right").hexdigest())
    assert model.verify(file, tmp_path).path == file
    # A change of the same length is seen, whatever was remembered.
    file.write_bytes(b"wrong")
    os.utime(file, (1, 1))
    with pytest.raises(model.ModelUnusable, match="has the SHA-256"):
        model.verify(file, tmp_path)


def test_a_cache_that_cannot_be_written_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"right")
    monkeypatch.setattr(model, "SIZE_BYTES", 5)
    monkeypatch.setattr(model, "SHA256", hashlib.sha256(b"right").hexdigest())
    assert model.verify(file, file / "no" / "folder").path == file


def test_a_processor_that_is_too_old_is_seen() -> None:
    assert missing_instructions("model\t: x\nflags\t\t: fpu fma f16c bmi2\nflags\t\t: avx2") == ["avx2"]
    assert missing_instructions("flags\t\t: avx2 fma f16c bmi2 avx512") == []
    assert missing_instructions("Features\t: fp asimd") == []


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False)]
)
def test_only_loopback_keeps_other_names_out(host: str, local: bool) -> None:
    assert Settings(host=host, port=1, cache_folder=Path()).on_loopback is local


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "PACKAGE", "nosuch_package")
    with pytest.raises(model.ModelUnusable, match="not installed: run `make up`"):
        model.find()
