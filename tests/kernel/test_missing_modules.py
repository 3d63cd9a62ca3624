"""A kernel without IPsec: modules are taken from it (in the guest only, see conftest.py)."""

import pytest

from ikevd.errors import KernelRefused
from ikevd.kernel.adapter import XfrmKernel
from tests.kernel.modules import without
from tests.kernel.namespaces import Namespace
from tests.kernel.samples import AES_SHA256, add, sa_of

pytestmark = pytest.mark.kernel


async def test_without_esp(namespace: Namespace) -> None:
    with namespace.entered():
        kernel = XfrmKernel()
    with kernel, without("esp4"):
        with pytest.raises(KernelRefused, match=r"no ESP for IPv4 \(module esp4\): cannot install ESP SA 0a0b0c0d"):
            await add(kernel, sa_of())
        with pytest.raises(KernelRefused) as caught:
            await kernel.probe(AES_SHA256)
        assert str(caught.value) == "this kernel has no ESP for IPv4 (module esp4)"


async def test_without_netlink(namespace: Namespace) -> None:
    refusal = r"no IPsec interface .*module xfrm_user.*Protocol not supported"
    with without("xfrm_user"), namespace.entered(), pytest.raises(KernelRefused, match=refusal):
        XfrmKernel()
