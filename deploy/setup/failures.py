"""Why a set-up failed, in one sentence that says what to do."""

import re
from pathlib import Path


class SetupFailed(Exception):
    """Set-up can't go on; the text is one sentence for a person."""


_FULL_DISK = ("No space left on device", "Errno 28", "You don't have enough free space", "Disk quota exceeded")
_NO_NETWORK = (
    "NewConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "NameResolutionError",
    "ProxyError",
    "Temporary failure in name resolution",
    "Name or service not known",
    "Connection refused",
    "Network is unreachable",
    "Could not connect to",
    "Could not resolve '",
    "Could not resolve host",
    "Unable to connect to",
    "ENOTFOUND",
    "ECONNREFUSED",
    "ETIMEDOUT",
    "EAI_AGAIN",
    "Connection timed out",
)
_NO_TRUST = ("CERTIFICATE_VERIFY_FAILED", "SSLError", "certificate verify failed")


def explain(what: str, output: str, log: Path) -> SetupFailed:
    """Why a program failed that printed ``output``; ``what`` begins the sentence, ``log`` holds the whole text."""
    if any(sign in output for sign in _FULL_DISK):
        return SetupFailed(f"{what}: the disk is full; free some space and run this again")
    if any(sign in output for sign in _NO_TRUST):
        return SetupFailed(
            f"{what}: the server's certificate is not trusted; install ca-certificates, or name your network's "
            f"authority in SSL_CERT_FILE (see {log})"
        )
    if any(sign in output for sign in _NO_NETWORK):
        return SetupFailed(
            f"{what}: the package registry can't be reached; check the network or the proxy settings and run this "
            f"again (see {log})"
        )
    if "DO NOT MATCH THE HASHES" in output:
        package = re.search(r"^\s+([\w.-]+==[\w.]+|[\w.-]+) from", output, re.MULTILINE)
        name = package.group(1) if package else "a package"
        return SetupFailed(f"{what}: {name} differs from the pinned file; nothing was installed (see {log})")
    missing = re.search(r"No matching distribution found for (\S+)", output)
    if missing:
        return SetupFailed(
            f"{what}: the package registry has no {missing.group(1)} for this Python and processor (see {log})"
        )
    lines = [line for line in output.strip().splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR", "E:", "Error"))] or lines
    return SetupFailed(f"{what}: {errors[-1].strip()[:300] if errors else 'no message'} (see {log})")
