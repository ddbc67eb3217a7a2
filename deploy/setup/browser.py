"""Chromium for the tests of the web app: the machine's own, else Debian's; without root, unpacked into the cache."""

import os
import shutil
import tempfile
from pathlib import Path

from deploy.places import Places
from deploy.setup.failures import SetupFailed
from deploy.setup.programs import Programs
from deploy.setup.progress import Progress

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_PACKAGES = ("chromium", "fonts-dejavu-core")
_STATUS = Path("/var/lib/dpkg/status")
_START = """#!/bin/sh
root={root}
lib="$root/usr/lib/$(uname -m)-linux-gnu"
# Debian's libpulse finds a part of itself by a path that begins at the machine's own root.
export LD_LIBRARY_PATH="$lib:$lib/pulseaudio:$root/lib/$(uname -m)-linux-gnu"
export FONTCONFIG_PATH="$root/etc/fonts" XDG_DATA_DIRS="$root/usr/share:/usr/share"
exec "$root/usr/lib/chromium/chromium" "$@"
"""


def find_chromium(places: Places) -> str | None:
    """The browser to start; None if there is none."""
    private = _private(places)
    return next((found for name in _NAMES if (found := shutil.which(name))), str(private) if private.exists() else None)


class Browser:
    """What only the tests need, so that nothing else fails where it can't be had."""

    def __init__(self, places: Places, programs: Programs, progress: Progress) -> None:
        self._places = places
        self._programs = programs
        self._progress = progress

    def is_there(self) -> bool:
        """Whether there is a browser, or none can be had here."""
        return find_chromium(self._places) is not None or shutil.which("apt-get") is None

    def install(self) -> None:
        """Get it; a failure is said and leaves the tests that need it to be skipped."""
        if self.is_there():
            return
        with self._progress.step("Chromium"):
            try:
                if os.geteuid() == 0:
                    self._install()
                else:
                    self._unpack()
            except SetupFailed as error:
                self._progress.say(f"{error}; the tests of the web app in a browser will be skipped")

    def _install(self) -> None:
        what = "Chromium can't be installed"
        environment = dict(os.environ) | {"DEBIAN_FRONTEND": "noninteractive"}
        self._programs.run(what, ["apt-get", "-q", "update"], environment=environment)
        install = [
            "apt-get",
            "-q",
            "-o",
            "DPkg::Lock::Timeout=120",
            "install",
            "-y",
            "--no-install-recommends",
            *_PACKAGES,
        ]
        self._programs.run(what, install, environment=environment)

    def _unpack(self) -> None:
        what = "Chromium can't be fetched from Debian's archive"
        with tempfile.TemporaryDirectory(dir=self._places.cache, prefix=".chromium-") as name:
            folder = Path(name)
            for part in ("state/lists/partial", "cache/archives/partial"):
                (folder / part).mkdir(parents=True)
            # The machine's own sources and list of what is installed: only what it lacks is fetched, and fits the rest.
            apt = ["apt-get", "-q", "-o", f"Dir::State={folder}/state", "-o", f"Dir::State::status={_STATUS}"]
            apt += ["-o", f"Dir::Cache={folder}/cache", "-o", "APT::Sandbox::User=", "-o", "Debug::NoLocking=true"]
            self._programs.run(what, [*apt, "update"])
            self._programs.run(what, [*apt, "install", "-y", "--no-install-recommends", "--download-only", *_PACKAGES])
            root = folder / "root"
            for package in sorted((folder / "cache" / "archives").glob("*.deb")):
                self._programs.run("Chromium can't be unpacked", ["dpkg", "-x", str(package), str(root)])
            target = _private(self._places).parent
            (root / "start").write_text(_START.format(root=target))
            (root / "start").chmod(0o755)
            root.chmod(0o755)
            os.rename(root, target)


def _private(places: Places) -> Path:
    return places.cache / f"chromium-2-{os.uname().machine}" / "start"
