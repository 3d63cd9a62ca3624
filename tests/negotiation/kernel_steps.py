"""The kernel's steps of one Quick Mode, each of which it may refuse.

A child's policies stand before its SAs do: an out policy that blocks, then in and fwd. What the kernel has refused is
asked for once more when the Quick Mode needs it.
"""

from __future__ import annotations

import errno
from typing import Literal

from ikevd.kernel.faults import Operation
from ikevd.kernel.memory import MemoryKernel

Role = Literal["initiator", "responder"]
Step = Literal["SPI", "inbound SA", "in policy", "fwd policy", "outbound SA", "out policy"]
INBOUND: tuple[Step, ...] = ("inbound SA", "in policy", "fwd policy")
OUTBOUND: tuple[Step, ...] = ("outbound SA", "out policy")
CALLS: dict[Step, tuple[Operation, tuple[int, ...], tuple[int, ...]]] = {
    "SPI": ("reserve_spi", (1,), (1,)),
    "inbound SA": ("add_sa", (1,), (1,)),
    "in policy": ("put_policy", (2, 3, 4), (2,)),
    "fwd policy": ("put_policy", (3, 4, 5), (3,)),
    "outbound SA": ("add_sa", (2,), (2,)),
    "out policy": ("put_policy", (4,), (4,)),
}
"""Which calls of which operation: of the initiator, whose child is wanted before, and of the responder."""


def refuse(kernel: MemoryKernel, role: Role, step: Step) -> None:
    """The kernel refuses this step of the first Quick Mode."""
    operation, initiator, responder = CALLS[step]
    for nth in initiator if role == "initiator" else responder:
        kernel.fail(operation, errno.ENOBUFS, nth)
