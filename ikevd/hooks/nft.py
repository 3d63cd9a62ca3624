"""The MSS of forwarded TCP connections, in a table of nftables that is ours: the program nft puts it as a whole, and
removes it."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Protocol, Self

from ikevd.addresses import Address
from ikevd.errors import KernelRefused
from ikevd.hooks.environment import PATH
from ikevd.hooks.program import Command, Ended, end_of
from ikevd.host.clamps import Clamp
from ikevd.policy.selectors import Network

TABLE = "ikevd"
CHAIN = "mss"
SECONDS = 30.0
"""For nft: the kernel may have to load modules."""
IN_USE = "/sys/module/nf_tables"
"""Is there once a table may stand."""
FAMILIES = {4: "ip", 6: "ip6"}
NFPROTO = {4: "ipv4", 6: "ipv6"}


class Events(Protocol):
    """What tells of changes until it is closed."""

    def close(self) -> None:
        """Idempotent."""


Watch = Callable[[Callable[[], None]], Events]
"""Calls what it gets whenever something of nftables has changed. Raises OSError."""


def table_of(addresses: Sequence[Address]) -> str:
    """Its name. An ikevd for these addresses alone may have another one beside it, which has a table of its own."""
    return "-".join([TABLE, *[str(address).replace(":", "-").replace("%", "_") for address in addresses[:1]]])


class NftClamps:
    """See `Clamps`."""

    def __init__(
        self, table: str, events: Watch, path: str = PATH, seconds: float = SECONDS, in_use: str = IN_USE
    ) -> None:
        """`path`: where nft may be; `seconds`: it may take; `in_use`: see `IN_USE`."""
        self._table = table
        self._seconds = seconds
        self._in_use = in_use
        self._path = path
        self._events = events
        self._changed: Callable[[], None] = lambda: None
        self._watching: Events | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """See `Clamps.close`."""
        if self._watching is not None:
            self._watching.close()

    def watch(self, changed: Callable[[], None]) -> None:
        """See `Clamps.watch`."""
        self._changed = changed

    async def put(self, clamps: Sequence[Clamp]) -> None:
        """See `Clamps.put`."""
        if not clamps and not os.path.exists(self._in_use):  # noqa: ASYNC240  (in /sys)
            return
        ended = await self._run(text_of(self._table, clamps).encode(), "-f", "-")
        if not ended.in_time or ended.code:
            raise self._refused(self._how(ended))
        if clamps and self._watching is None:
            with suppress(OSError):  # without, they are put again at the next change of a tunnel only
                self._watching = self._events(self._changed)

    async def stand(self) -> bool:
        """See `Clamps.stand`."""
        return (await self._run(None, "list", "chain", "inet", self._table, CHAIN)).code == 0

    async def _run(self, given: bytes | None, *arguments: str) -> Ended:
        program = shutil.which("nft", path=self._path)
        if program is None:
            raise self._refused("there is no program nft (package nftables); wanted it installed, or no `mss`")
        command = Command(program, arguments, {"PATH": self._path}, self._seconds, ("net_admin",), given)
        try:
            return await end_of(command)
        except OSError as error:
            raise self._refused(f"{program} cannot be run ({error.strerror or error})") from error

    def _how(self, ended: Ended) -> str:
        said = f": {' | '.join(ended.stderr)}" if ended.stderr else ""
        if not ended.in_time:
            return f"nft had not ended after {self._seconds:g} s{said}"
        return f"nft ended with {ended.code}{said}; perhaps this kernel has no nftables (module nf_tables)"

    def _refused(self, why: str) -> KernelRefused:
        return KernelRefused(f"cannot set the MSS of TCP connections (nftables, table {self._table}): {why}", errno.EIO)


def text_of(table: str, clamps: Iterable[Clamp]) -> str:
    """For `nft -f -`: the table as a whole, in place of what stands; without clamps none."""
    rules = [rule for clamp in clamps for rule in _rules(clamp)]
    removed = f"add table inet {table}\ndelete table inet {table}\n"
    if not rules:
        return removed
    lines = "".join(f"\t\t{rule}\n" for rule in rules)
    return (
        f"{removed}table inet {table} {{\n"
        f"\tchain forward {{\n\t\ttype filter hook forward priority mangle; policy accept;\n"
        f"\t\ttcp flags & (syn | rst) == syn jump {CHAIN}\n\t}}\n"
        f"\tchain {CHAIN} {{\n{lines}\t}}\n}}\n"
    )


def _rules(clamp: Clamp) -> Iterator[str]:
    """Of both directions. nft never makes an MSS larger."""
    then = f'tcp option maxseg size set {clamp.mss} comment "{clamp.owner}"'
    if clamp.interface is not None:
        family = f"meta nfproto {NFPROTO[clamp.version]}"
        yield f'oifname "{clamp.interface}" {family} {then}'
        yield f'iifname "{clamp.interface}" {family} {then}'
        return
    family, ours, theirs = FAMILIES[clamp.version], _set(clamp.ours), _set(clamp.theirs)
    yield f"{family} saddr {ours} {family} daddr {theirs} rt ipsec exists {then}"
    yield f"{family} saddr {theirs} {family} daddr {ours} meta ipsec exists {then}"


def _set(networks: Sequence[Network]) -> str:
    return f"{{ {', '.join(map(str, networks))} }}"
