"""`hw_offload` where no network device encrypts: told in words, done without, and others do not notice.

A device that does encrypt is not among those of the guest.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.eventually import eventually
from tests.interop.beginner import EITHER, Beginner
from tests.interop.daemon import Ikevd
from tests.interop.node import run
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan, StrongSwanError
from tests.interop.topology import Topology


@pytest.fixture(params=["", "esp4_offload"], ids=["without the module", "with the module"])
def module(request: pytest.FixtureRequest) -> Iterator[str]:
    """Without it the kernel refuses; with it the kernel says nothing, and encrypts itself."""
    name: str = request.param
    if name:
        run("modprobe", name)
    yield name
    if name:
        eventually(lambda: not run("rmmod", name, check=False))  # modprobe -r would take esp4 along


def site_of(net: Topology) -> Site:
    """Two children."""
    children = (("lan", net.gw_a.net, net.gw_b.net), ("other", "10.1.8.0/24", "10.2.8.0/24"))
    return Site(net.gw_a, net.gw_b, esp="aes128gcm16", children=children)


@EITHER
def test_a_device_that_must_and_cannot_is_told_and_others_go_on(
    topology: Topology, charon_b: StrongSwan, beginner: Beginner, module: str
) -> None:
    site = site_of(topology)
    charon_b.configure(site.mirrored())
    with Ikevd(topology.gw_a, site.ikevd().replace("other: {", "other: {hw_offload: crypto, ")) as ikevd:
        if beginner == "ikevd":
            ikevd.up("lan")
            cause = ikevd.failing_up("other")
            assert "with hw_offload: crypto: " in cause
            assert "wanted hw_offload: auto, or no" in cause
        else:
            charon_b.initiate("lan")
            with pytest.raises(StrongSwanError):
                charon_b.initiate("other", timeout=5)
        why = "the kernel says Type doesn't support offload" if not module else "encrypts nothing"
        eventually(lambda: why in ikevd.log)
        assert topology.host_a.ping(topology.host_b.address, 3) == 3
        assert len(topology.gw_a.xfrm_state()) == 2
    assert topology.gw_a.xfrm_state() == []


@EITHER
def test_a_device_that_may_and_cannot_is_done_without(
    topology: Topology, charon_b: StrongSwan, beginner: Beginner, module: str
) -> None:
    site = site_of(topology)
    charon_b.configure(site.mirrored())
    with Ikevd(topology.gw_a, site.ikevd().replace("lan: {", "lan: {hw_offload: auto, ")) as ikevd:
        if beginner == "ikevd":
            ikevd.up("lan")
        else:
            charon_b.initiate("lan")
        assert topology.host_a.ping(topology.host_b.address, 3) == 3
        assert not [state for state in topology.gw_a.xfrm_state() if "offload" in state.text]
    assert topology.gw_a.xfrm_state() == []
    assert topology.gw_a.xfrm_policy() == []
