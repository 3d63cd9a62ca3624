"""SAs whose packets a network device encrypts and decrypts: asked for, and whether it does; pure.

The kernel itself finds the device, by the way to the peer. One that cannot do it is no error to it: it then does the
work itself, and tells so only by what it leaves out of its answer.
"""

from __future__ import annotations

import errno

from ikevd.errors import KernelRefused
from ikevd.host.sas import KernelSa
from ikevd.kernel.netlink import attribute, attributes
from ikevd.kernel.refusals import describe_sa
from ikevd.kernel.xfrm_layout import USER_OFFLOAD, USERSA_INFO, Attr

INBOUND = 2
"""Flag: what comes is decrypted."""
BY_THE_WAY = 0
"""In place of the index of a device."""
OF_THE_SA = (errno.EPERM, errno.EEXIST, errno.ENOSYS, errno.ENOENT, errno.EPROTONOSUPPORT)
"""What these say is wrong with the SA itself."""


def asked_for(*, inbound: bool) -> bytes:
    """The attribute of NEWSA and UPDSA."""
    return attribute(Attr.OFFLOAD_DEV, USER_OFFLOAD.pack(BY_THE_WAY, INBOUND if inbound else 0))


def is_done(body: bytes) -> bool:
    """Does a device do it, says the body of an answered NEWSA?"""
    found = dict(attributes(body[USERSA_INFO.size :])).get(Attr.OFFLOAD_DEV)
    return found is not None and USER_OFFLOAD.unpack_from(found)[0] != BY_THE_WAY


def refused(sa: KernelSa, said: str = "") -> KernelRefused:
    """The exception where it must be done. `said`: by the kernel; nothing where the device cannot do it."""
    why = f"the kernel says {said}" if said else "the network device on its way encrypts nothing"
    return KernelRefused(
        f"cannot install {describe_sa(sa.id)} with hw_offload: crypto: {why} (`ethtool -k DEVICE` shows "
        "esp-hw-offload); wanted hw_offload: auto, or no",
        errno.EOPNOTSUPP,
    )
