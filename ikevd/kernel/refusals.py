"""One plain sentence for each way in which a kernel says no."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from ikevd.addresses import Address
from ikevd.errors import IkeError, KernelRefused, MissingPrivilege, PolicyTaken
from ikevd.host import spi_range
from ikevd.host.policies import PolicyId
from ikevd.host.sas import KernelSa, SaId
from ikevd.kernel.algorithms import kernel_algorithms
from ikevd.policy.suites import IpsecSuite
from ikevd.wire.registry import Protocol

MAX_REPLAY_WINDOW = 4096
"""XFRMA_REPLAY_ESN_MAX in linux/xfrm.h."""


def describe_sa(sa: SaId) -> str:
    """For example `ESP SA c1234567 to 192.0.2.1`."""
    return f"{sa.spi.protocol} SA {sa.spi} to {sa.destination}"


def describe_policy(policy: PolicyId) -> str:
    """For example `the out policy 10.1.0.0/24 -> 10.2.0.0/24 [6, port 0 -> 80]`."""
    text = f"the {policy.direction.value} policy {policy.source} -> {policy.destination}"
    if policy.protocol or policy.source_port or policy.destination_port:
        text += f" [protocol {policy.protocol}, port {policy.source_port} -> {policy.destination_port}]"
    return text + "".join(f" {word}" for word in _bearing(policy))


def _bearing(policy: PolicyId) -> Iterator[str]:
    """As iproute2 has it."""
    if policy.mark is not None:
        yield f"mark {policy.mark.value:#x} mask {policy.mark.mask:#x}"
    if policy.if_id:
        yield f"if_id {policy.if_id:#x}"


def refused(what: str, code: int, detail: str = "") -> IkeError:
    """The exception for a refused request.

    `what` completes "cannot ..."; `code` is the errno, `detail` the kernel's extended acknowledgement.
    """
    if code == errno.EPERM:
        return MissingPrivilege(f"cannot {what}: the process lacks the capability CAP_NET_ADMIN")
    reason = f"{os.strerror(code)}: {detail}" if detail else os.strerror(code)
    return KernelRefused(f"cannot {what}: the kernel says {errno.errorcode.get(code, code)}, {reason}", code)


def spi_refused(destination: Address, reqid: int, protocol: Protocol, code: int, detail: str = "") -> IkeError:
    """The exception for an SPI or CPI that the kernel does not reserve."""
    if protocol == Protocol.IPCOMP and code == errno.ENOENT:
        first, last = spi_range.of(protocol)
        return KernelRefused(
            f"all {last - first + 1} CPIs that pairs of {destination} may have are in use; wanted children without "
            "ipcomp",
            code,
        )
    return refused(f"reserve an SPI for {destination} (reqid {reqid:#x})", code, detail)


def sa_refused(sa: KernelSa, code: int, detail: str = "") -> IkeError:
    """The exception for an SA that the kernel does not install."""
    what = f"install {describe_sa(sa.id)}"
    said = f"({errno.errorcode.get(code, code)}{': ' + detail if detail else ''})"
    if lacking := suite_lacking(sa.suite, sa.destination.version, code):
        return KernelRefused(f"{lacking}: cannot {what} {said}", code)
    if code == errno.EEXIST:
        return KernelRefused(f"cannot {what}: the kernel has an SA of that SPI already {said}", code)
    return refused(f"{what} ({kernel_algorithms(sa.suite)}, reqid {sa.reqid:#x})", code, detail)


def suite_lacking(suite: IpsecSuite, ip_version: int, code: int) -> str | None:
    """What the kernel lacks for any SA of the suite, or None where the errno means something else."""
    match code:
        case errno.ENOSYS | errno.ENOENT:  # unknown to XFRM; no crypto module
            return f"this kernel has no {kernel_algorithms(suite)} for {suite.protocol}"
        case errno.EPROTONOSUPPORT:
            name = str(suite.protocol)
            module = name.lower() + (str(ip_version) if (suite.protocol, ip_version) != (Protocol.IPCOMP, 4) else "")
            return f"this kernel has no {name} for IPv{ip_version} (module {module})"
        case errno.EINVAL if suite.protocol == Protocol.IPCOMP:  # what is not shorter goes as IP in IP
            return f"this kernel has no tunnel of IPCOMP for IPv{ip_version} (module xfrm{ip_version}_tunnel)"
    return None


def policy_taken(policy: PolicyId, owner_reqid: int) -> PolicyTaken:
    """The exception for a selector that somebody else's policy holds."""
    whose = f"reqid {owner_reqid:#x}" if owner_reqid else "without a reqid"
    words = f"src {policy.source} dst {policy.destination} dir {policy.direction.value}"
    cure = " ".join(("ip xfrm policy delete", words, *_bearing(policy)))
    return PolicyTaken(
        f"cannot install {describe_policy(policy)}: another owner's stands there, {whose} "
        f"(`{cure}` removes it, if nobody needs it)"
    )


def window_fits(sa: KernelSa) -> bool:
    """Can a kernel hold its anti-replay window? None at all is one, but not for numbers of 64 bits, of which the
    receiver has to guess the upper half by it (RFC 4303 appendix A)."""
    return (1 if sa.suite.esn else 0) <= sa.replay_window <= MAX_REPLAY_WINDOW


def padding_fits(sa: KernelSa) -> bool:
    """Can what it carries be padded, if it is to be? Only in a tunnel the length of a packet shows where padding
    begins."""
    return not sa.packing.tfc_padding or (sa.suite.protocol == Protocol.ESP and not sa.suite.transport)


def window_refused(sa: KernelSa) -> KernelRefused:
    """The exception for an anti-replay window that no kernel can hold."""
    least = 1 if sa.suite.esn else 0
    return KernelRefused(
        f"cannot install {describe_sa(sa.id)}: an anti-replay window is {least} to {MAX_REPLAY_WINDOW} "
        f"packets, not {sa.replay_window}",
        errno.EINVAL,
    )
