"""Network devices that encrypt: the attribute by which it is asked for, and the kernel's answer."""

from __future__ import annotations

import sys

import pytest

from ikevd.kernel import offload
from ikevd.kernel.netlink import attribute, attributes
from ikevd.kernel.xfrm_layout import USERSA_INFO, Attr
from ikevd.kernel.xfrm_sas import build_sa
from tests.kernel.samples import AES_GCM, keys_of, sa_of


@pytest.mark.parametrize(("inbound", "flags"), [(True, 2), (False, 0)])
def test_the_kernel_chooses_the_device_and_is_told_the_direction(inbound: bool, flags: int) -> None:
    ((kind, value),) = attributes(offload.asked_for(inbound=inbound))
    assert (kind, value) == (Attr.OFFLOAD_DEV, bytes(4) + bytes([flags]) + bytes(3))


def test_a_device_does_it_if_the_answer_names_one() -> None:
    plain = build_sa(sa_of(suite=AES_GCM), keys_of(AES_GCM))
    assert len(plain) > USERSA_INFO.size
    assert not offload.is_done(plain)
    assert not offload.is_done(plain + offload.asked_for(inbound=True))
    named = (7).to_bytes(4, sys.byteorder) + bytes(4)
    assert offload.is_done(plain + attribute(Attr.OFFLOAD_DEV, named))
