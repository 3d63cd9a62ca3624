"""Whether the VRF and the network namespaces that the file names are there: doubts of `ikevd check`."""

from __future__ import annotations

from ikevd.config.problems import Problems
from ikevd.config.schema import FileSection
from ikevd.config.surroundings import Surroundings


def doubt(problems: Problems, file: FileSection, machine: Surroundings) -> None:
    """At what names one that is not there now."""
    vrf = file.listen.vrf
    if vrf and machine.links is not None and vrf not in machine.links:
        problems.warn(
            ("listen", "vrf"),
            f"there is no {vrf} on this machine now, and ikevd does not start without; wanted `ip link add {vrf} type "
            "vrf table 100` before",
        )
    driver = machine.links.get(vrf) if vrf and machine.links else None
    if driver not in (None, "vrf"):
        problems.warn(("listen", "vrf"), f"{vrf} is no VRF ({driver}); wanted the VRF that it is in, or nothing here")
    for name, connection in file.connections.items():
        there = connection.interface.namespace if connection.interface is not None else None
        if there and machine.namespaces is not None and there not in machine.namespaces:
            problems.warn(
                ("connections", name, "interface", "namespace"),
                f"there is no network namespace {there} on this machine now; wanted `ip netns add {there}`: the "
                "interface is made as soon as it is there",
            )
