"""A VRF and network namespaces that are not there are doubted, as far as this machine is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from ikevd.config.load import load
from ikevd.config.surroundings import Surroundings
from tests.config.test_interfaces import with_interface


def doubts(folder: Path, machine: Surroundings, *, vrf: str = "internet", namespace: str = "red") -> list[str]:
    text = with_interface(f"{{name: t, namespace: {namespace}}}") + f"listen: {{vrf: {vrf}}}\n"
    path = folder / "ikevd.yaml"
    path.write_text(text)
    path.chmod(0o600)
    return [told for told in load(path, {}, known=machine).warnings if "on this machine now" in told]


def test_what_is_not_there_is_doubted(tmp_path: Path) -> None:
    namespace, vrf = doubts(tmp_path, Surroundings(links={"lo": None}, namespaces=frozenset({"blue"})))
    assert "listen.vrf: there is no internet on this machine now, and ikevd does not start without" in vrf
    assert "connections.berlin.interface.namespace: there is no network namespace red on this machine now" in namespace


@pytest.mark.parametrize(
    "machine", [Surroundings(), Surroundings(links={"internet": "vrf"}, namespaces=frozenset({"red"}))]
)
def test_what_is_there_or_cannot_be_known_is_not(tmp_path: Path, machine: Surroundings) -> None:
    assert doubts(tmp_path, machine) == []


def test_an_interface_that_is_no_vrf_is_doubted(tmp_path: Path) -> None:
    path = tmp_path / "ikevd.yaml"
    path.write_text(with_interface("{name: t}") + "listen: {vrf: eth0}\n")
    path.chmod(0o600)
    warnings = load(path, {}, known=Surroundings(links={"eth0": "virtio_net"})).warnings
    assert any("listen.vrf: eth0 is no VRF (virtio_net); wanted the VRF that it is in" in told for told in warnings)
