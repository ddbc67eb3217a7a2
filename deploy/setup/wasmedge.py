"""WasmEdge from Debian's packages, unpacked into a folder of our own; nothing of the system is changed.

The packages come through the machine's own apt, with its signature checks, from the mirror it already uses. The C
library they were built for comes with them: processes that hold WasmEdge start through that folder's own loader.
"""

import os
import platform
import re
import shutil
import tempfile
from pathlib import Path

from deploy.places import DEBIAN_SUITE, WASMEDGE_VERSION, Places
from deploy.setup.failures import SetupFailed
from deploy.setup.programs import Programs
from deploy.setup.progress import Progress, Step
from deploy.setup.sources import debian_mirror, read_sources

# A change here wants a new `deploy.places.UNPACKED_EDITION`.
_PACKAGES = ("libwasmedge0", "libgomp1", "libseccomp2", "libstdc++6")
_KEYRINGS = ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp")
_BY_HAND = (
    f"unpack the packages libwasmedge0 {WASMEDGE_VERSION}, libgomp1 and libseccomp2 of Debian 13, with all they depend "
    "on, into a folder and set WASMFORGE_WASMEDGE to it"
)


class WasmEdge:
    """The unpacked packages in the cache."""

    def __init__(self, places: Places, programs: Programs, progress: Progress) -> None:
        self._places = places
        self._programs = programs
        self._progress = progress

    def is_there(self) -> bool:
        """Whether the folder is complete; one that the user named is taken as it is."""
        return self._places.wasmedge.is_dir() or not self._places.own_wasmedge

    def unpack(self) -> None:
        """Fetch and unpack; the folder appears whole or not at all.

        Raises:
            SetupFailed: no apt, no Debian mirror, no network, a bad signature, another version.
        """
        if self.is_there():
            return
        with self._progress.step(f"WasmEdge {WASMEDGE_VERSION}") as step:
            mirror = self._mirror()
            with tempfile.TemporaryDirectory(dir=self._places.cache, prefix=".wasmedge-") as folder:
                self._fetch(Path(folder), mirror, step)
                step.note = "unpacking"
                root = Path(folder) / "root"
                for package in sorted((Path(folder) / "cache" / "archives").glob("*.deb")):
                    self._programs.run("WasmEdge can't be unpacked", ["dpkg", "-x", str(package), str(root)])
                _merge_lib(root)
                root.chmod(0o755)
                os.rename(root, self._places.wasmedge)

    def _mirror(self) -> str:
        if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
            raise SetupFailed(f"WasmEdge comes from Debian's packages and this machine has no apt; {_BY_HAND}")
        release = platform.freedesktop_os_release()
        mirror = debian_mirror(read_sources(Path("/etc/apt")), release.get("VERSION_CODENAME", ""))
        if release.get("ID") != "debian" or mirror is None:
            raise SetupFailed(
                f"WasmEdge comes from Debian's packages and this machine's apt names no Debian archive; {_BY_HAND}"
            )
        return mirror

    def _fetch(self, folder: Path, mirror: str, step: Step) -> None:
        for name in ("lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True)
        (folder / "status").touch()
        (folder / "sources.list").write_text(f"deb [signed-by={_keyring()}] {mirror} {DEBIAN_SUITE} main\n")
        (folder / "apt.conf").write_text(_apt_configuration(folder))
        apt = ["apt-get", "-q", "-c", str(folder / "apt.conf")]
        what = "WasmEdge can't be fetched from Debian's archive"
        environment = dict(os.environ) | {"APT_CONFIG": str(folder / "apt.conf")}

        def on_line(line: str) -> None:
            got = re.match(r"Get:(\d+) \S+ \S+ (.*)", line)
            if got:
                step.note = got.group(2)

        step.note = "reading the list of packages"
        self._programs.run(what, [*apt, "update", "-o", "APT::Update::Error-Mode=any"], environment=environment)
        self._programs.run(
            what, [*apt, "install", "-y", "--download-only", *_PACKAGES], environment=environment, on_line=on_line
        )
        if not list((folder / "cache" / "archives").glob(f"libwasmedge0_{WASMEDGE_VERSION}*.deb")):
            raise SetupFailed(f"Debian's archive has no WasmEdge {WASMEDGE_VERSION}; {_BY_HAND}")


def _keyring() -> Path:
    for name in _KEYRINGS:
        keyring = Path("/usr/share/keyrings") / name
        if keyring.exists():
            return keyring
    raise SetupFailed("Debian's archive keys are missing; apt-get install debian-archive-keyring and run this again")


def _apt_configuration(folder: Path) -> str:
    """An apt of its own: its lists, its cache, its empty list of installed packages, nobody's pins and hooks."""
    return f"""
Dir::State "{folder}";
Dir::State::lists "{folder}/lists";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Cache::archives "{folder}/cache/archives";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "-";
Dir::Etc::preferencesparts "-";
Dir::Log "{folder}";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
#clear APT::Default-Release;
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Sandbox::User "";
APT::Keep-Downloaded-Packages "true";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Debug::NoLocking "true";
"""


def _merge_lib(root: Path) -> None:
    """Some packages still name ``/lib``; one place for libraries is what the loader is told."""
    for name in ("lib", "lib64"):
        old = root / name
        if old.is_dir() and not old.is_symlink():
            shutil.copytree(old, root / "usr" / name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(old)
