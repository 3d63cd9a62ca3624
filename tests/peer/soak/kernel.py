"""A kernel that refuses now and then, and remembers what it ever held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ikevd.host.policies import Action, Direction, KernelPolicy, PolicyId
from ikevd.host.sas import KernelSa, SaId
from ikevd.peer.desired import View
from ikevd.sa.model import Spi


class Kernel:
    def __init__(self) -> None:
        self.sas: dict[str, dict[SaId, KernelSa]] = {}
        """Of each child."""
        self.policies: dict[str, Mapping[PolicyId, KernelPolicy]] = {}
        self.keys: dict[SaId, str] = {}
        """Which Quick Mode each SA got its keys from: in place of them."""
        self.wrong: list[str] = []
        """What no kernel should ever see."""

    def bring(self, child: str, desired: View, keys: Mapping[Spi, str], *, refuse: bool) -> bool:
        """From what it holds of a child to what is desired. `keys`: of SAs that are new; without its keys none can be
        installed. Refuses a new SA, if it shall, and leaves all else as it was."""
        held = self.sas.setdefault(child, {})
        new = [sa for name, sa in desired.sas.items() if name not in held and sa.spi in keys]
        if new and refuse:
            return False
        for sa in new:
            if sa.id in self.keys:
                self.wrong.append("an SA is added again")
            held[sa.id], self.keys[sa.id] = sa, keys[sa.spi]
        self.sas[child] = {name: sa for name, sa in held.items() if name in desired.sas}
        self.policies[child] = desired.policies
        actions = {policy.action for name, policy in desired.policies.items() if name.direction is Direction.OUT}
        if not actions or Action.BYPASS in actions:
            self.wrong.append("traffic leaves in the clear")
        return True

    def lose(self, spi: Spi) -> Iterator[str]:
        """Its SA is gone: the child whose it was, if it was there."""
        for child, held in self.sas.items():
            for name in [name for name in held if name.spi == spi]:
                del held[name]
                yield child

    @property
    def stands(self) -> set[tuple[SaId, str]]:
        """All SAs, each with its keys."""
        return {(name, self.keys[name]) for held in self.sas.values() for name in held}
