"""Hostile plugins as data, one module for each family; `FAMILIES` holds them all."""

from tests.security.attacks import (
    bombs,
    clocks,
    descriptors,
    files,
    floods,
    frames,
    leaving,
    memory,
    network,
    objects,
    processes,
    recursion,
    takeover,
    tracebacks,
    unicode,
    waiting,
)
from tests.security.attacks.attack import Attack

FAMILIES: dict[str, tuple[Attack, ...]] = {
    module.__name__.rpartition(".")[2]: module.ATTACKS
    for module in (
        network, files, processes, descriptors, memory, recursion, bombs, waiting,
        frames, floods, unicode, objects, tracebacks, clocks, leaving, takeover,
    )
}  # fmt: skip

CASES = [(family, attack) for family, attacks in FAMILIES.items() for attack in attacks]
