"""ESP, AH and IPComp, and sequence numbers: what one child may ask for together."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from ikevd.config.interfaces import is_routed
from ikevd.config.problems import Problems
from ikevd.config.schema_child import ChildSection
from ikevd.config.schema_connection import ConnectionSection
from ikevd.config.yaml_locations import YamlPath


def check(problems: Problems, path: YamlPath, child: ChildSection, connection: ConnectionSection) -> None:
    """Every check of this module."""
    if child.ah_proposals and "esp_proposals" in child.model_fields_set:
        problems.error(
            (*path, "ah_proposals"),
            "stand beside esp_proposals, but AH and ESP are not made together in one child; wanted one of the two, and "
            "ESP alone authenticates as well",
        )
    if child.ah_proposals and connection.encap == "force":
        problems.error(
            (*path, "ah_proposals"),
            "ask for AH, but encap: force of the connection is for ESP in UDP, and AH cannot travel in it; wanted "
            "esp_proposals, for example null-sha256, or encap: auto",
        )
    _check_packing(problems, path, child)
    if child.hw_offload == "crypto":
        _check_offload(problems, path, child, connection)
    if not child.replay_window and any(suite.esn for suite in child.proposals):
        problems.error(
            (*path, "replay_window"),
            "is off, but esn tells by the window where a packet stands among its 64 bits; wanted a window, or "
            f"{child.proposals_key} without esn",
        )
    if child.ipcomp:
        for reason in _against_ipcomp(child, connection):
            problems.error((*path, "ipcomp"), f"is true, but {reason}")


def _check_packing(problems: Problems, path: YamlPath, child: ChildSection) -> None:
    """What is done to the outer packet wants one, and padding a length that tells where it begins."""
    for key in ("copy_df", "copy_ecn", "copy_dscp"):
        if child.transport and key in child.model_fields_set:
            problems.warn((*path, key), "has no effect in transport mode: there is no packet in the packet")
    if child.tfc_padding and (child.transport or child.ah_proposals):
        what = "AH" if child.ah_proposals else "transport mode"
        problems.error(
            (*path, "tfc_padding"), f"is for ESP in tunnel mode, and this child is for {what}; wanted no tfc_padding"
        )


def _check_offload(problems: Problems, path: YamlPath, child: ChildSection, connection: ConnectionSection) -> None:
    """What no kernel gives to a device."""
    whys = (
        ("AH, and devices know ESP alone; wanted esp_proposals", child.ah_proposals),
        ("encap: force, and devices know no ESP in UDP; wanted encap: auto", connection.encap == "force"),
        ("tfc_padding, and devices do not pad; wanted no tfc_padding", child.tfc_padding),
    )
    for why, is_so in whys:
        if is_so:
            problems.error((*path, "hw_offload"), f"is crypto, but this child has {why}, or hw_offload: auto")


def _against_ipcomp(child: ChildSection, connection: ConnectionSection) -> Iterator[str]:
    """What shows in the file already; `exchanges.ipcomp` has what shows later."""
    if child.ah_proposals:
        yield "AH encrypts nothing, and IPComp is made together with ESP alone here; wanted esp_proposals, or no ipcomp"
    if child.tfc_padding:
        yield "tfc_padding hides the length of packets, which IPComp shortens; wanted one of the two"
    if connection.encap == "force":
        yield (
            "encap: force of the connection has ESP travel in UDP, where there is no place for IPComp; wanted "
            "encap: auto, or no ipcomp"
        )
    if is_routed(connection, child) and connection.interface is not None and connection.interface.kind != "xfrm":
        yield (
            f"the interface of its connection is of kind: {connection.interface.kind}, and a VTI takes nothing that is "
            "compressed; wanted kind: xfrm, interface: false, or no ipcomp"
        )
    compressing = [one for one in connection.children.values() if one.ipcomp]
    if len({(is_routed(connection, one), one.if_id) for one in compressing}) > 1:
        yield (
            "other children of the connection have it, too, and pass another interface, or none: the kernel keeps "
            "what is too small to be compressed apart by the two peers alone; wanted one if_id, or no ipcomp"
        )
    ends = {end.version for end in (connection.local, connection.remote) if isinstance(end, IPv4Address | IPv6Address)}
    if not child.transport and ends and child.local[0].first.version not in ends:
        yield (
            f"the tunnel is IPv{min(ends)} and carries IPv{child.local[0].first.version}, and the kernel compresses "
            "only what is of one version with the tunnel; wanted no ipcomp"
        )
