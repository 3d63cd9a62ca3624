"""What an earlier process or configuration left in the kernel goes as soon as what replaces it stands, and no sooner:
where the kernel refuses a gate, the policy that was there instead stays until the gate stands."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from ikevd.errors import IkeError
from ikevd.host.policies import Action, FoundPolicy, KernelPolicy, PolicyId
from ikevd.host.unknown import Unknown, is_our_policy
from ikevd.negotiation.leavings import Leavings, remove_known, remove_unknown
from ikevd.negotiation.paced import paced
from ikevd.negotiation.placed import PlacedRows
from ikevd.negotiation.ports import Ports
from ikevd.observe.words import say_error
from ikevd.store.interface import Placed, PlacedPolicy

FIRST_PAUSE, LAST_PAUSE = 1.0, 60.0
"""Seconds from one try to the next; each pause is twice the one before."""
MAX_COMPARED = 100
"""Gates that do not stand; where there are more, none of the policies that were there before goes."""

Wanted = Mapping[PolicyId, KernelPolicy]
"""What shall stand."""


class Remains:
    """Removed here, or turned by the sessions, until none is left."""

    def __init__(self, ports: Ports, rows: PlacedRows) -> None:
        self._kernel = ports.kernel
        self._tell = ports.trouble
        self._rows = rows
        self._left = Leavings()
        self._at_work = asyncio.Lock()
        self._said: set[str] = set()

    async def add(self, left: Leavings) -> None:
        """More of it: before anything of that is turned or removed."""
        async with self._at_work:
            self._left.add(left)
            self._said.clear()
            await self._note()

    async def _note(self) -> None:
        left = self._left
        turned = [PlacedPolicy(name, policy.reqid) for name, policy in left.turned.items()]
        known = Placed((*left.policies, *turned, *left.shared), tuple(left.sas), tuple(left.ends))
        await self._rows.leave(known)
        if left.shared:
            why = f"another ikevd of this network namespace may have them ({len(left.shared)} policies)"
            self._trouble("bypasses that nobody wants any more stay", why)

    @property
    def over(self) -> bool:
        """Is none of it left?"""
        left = self._left
        return not (left.sas or left.policies or left.turned or left.unknown.sas or left.unknown.policies)

    async def finish(self, wanted: Callable[[], Awaitable[Wanted]], look: Callable[[], None]) -> None:
        """Until none is left. `look` at what stands afterwards: a session may have put meanwhile what was removed."""
        pause = FIRST_PAUSE
        while not self.over:
            await asyncio.sleep(pause)
            await self.go(await wanted())
            look()
            pause = min(2 * pause, LAST_PAUSE)

    async def go(self, wanted: Wanted) -> None:
        """All of it that can be spared now."""
        async with self._at_work:
            if not self.over:
                await self._go(wanted)

    async def _go(self, wanted: Wanted) -> None:
        try:
            stands = await self._stands()
        except IkeError as refusal:
            self._refused([refusal])
            return
        self._drop_settled(wanted, stands)
        lacking = [name async for name, policy in paced(wanted.items()) if _lacks(policy, stands)]
        kept = [one async for one in paced(self._left.policies) if one.reqid and _may_replace(one.id, wanted, lacking)]
        unknown = self._left.unknown.policies
        unsure = [one async for one in paced(unknown) if one.reqid and _may_replace(one.id, wanted, lacking)]
        if count := len(kept) + len(unsure):
            self._trouble("policies that are not wanted any more stay until those that replace them stand", f"{count}")
        await self._remove(kept, unsure)

    async def _stands(self) -> Mapping[PolicyId, int]:
        """Policies of ours, and their reqids. Raises `KernelRefused`."""
        left = self._left
        if not (left.policies or left.turned or left.unknown.policies):
            return {}
        found = await self._kernel.dump_policies()
        return {policy.id: policy.reqid async for policy in paced(found) if is_our_policy(policy)}

    def _drop_settled(self, wanted: Wanted, stands: Mapping[PolicyId, int]) -> None:
        """What is turned, and what is wanted again."""
        left = self._left
        turned = [(name, policy.reqid) for name, policy in left.turned.items() if stands.get(name) == policy.reqid]
        left.turned = {name: left.turned[name] for name, _ in turned if name in wanted}
        left.policies += [PlacedPolicy(name, reqid) for name, reqid in turned if name not in wanted]
        left.policies = [one for one in left.policies if one.id not in wanted or wanted[one.id].reqid != one.reqid]

    async def _remove(self, kept: Sequence[PlacedPolicy], unsure: Sequence[FoundPolicy]) -> None:
        left, waits = self._left, set(kept)
        left.policies = [one for one in left.policies if one not in waits]
        refusals = await remove_known(self._kernel, left)
        left.policies += kept
        if not (left.sas or left.policies or left.turned):
            await self._rows.leave(Placed(tuple(left.shared)))
        names = {one.id for one in unsure}
        going = Unknown(left.unknown.sas, tuple([one for one in left.unknown.policies if one.id not in names]))
        done, stays = await remove_unknown(self._kernel, going, refusals)
        left.unknown = Unknown(stays.sas, (*unsure, *stays.policies))
        for said in done:
            self._tell(said)
        self._refused(refusals)

    def _refused(self, refusals: Sequence[IkeError]) -> None:
        if refusals:
            self._trouble(
                "what is not wanted any more is still there", f"{say_error(refusals[0])} ({len(refusals)} of it)"
            )

    def _trouble(self, what: str, more: str) -> None:
        """Once."""
        if what not in self._said:
            self._said.add(what)
            self._tell(f"{what}: {more}")


def _lacks(policy: KernelPolicy, stands: Mapping[PolicyId, int]) -> bool:
    return policy.action is not Action.BYPASS and stands.get(policy.id) != policy.reqid


def _may_replace(name: PolicyId, wanted: Wanted, lacking: Sequence[PolicyId]) -> bool:
    """Shall packets of this policy take one that does not stand yet? Where that has the same selector, this one only
    is in its way."""
    if name in wanted:
        return False
    return len(lacking) > MAX_COMPARED or any(name.meets(other) for other in lacking)
