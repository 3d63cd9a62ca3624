"""The updown programs of children: run when one comes up and when it goes down, not at each rekeying.

What was run last, and whether that has ended, is on record with what the program was told. So what a killed process
had begun is run again by the next one, and nothing that has ended is; and what undoes it is told the same, whatever
the file says by then.
"""

from __future__ import annotations

from collections.abc import Mapping

from ikevd.facts import Note
from ikevd.frozen import replace
from ikevd.host.hooks import HookCall
from ikevd.peer.child_state import ChildState, HookState
from ikevd.peer.draft import Draft
from ikevd.peer.effects import Record, RunHook
from ikevd.peer.hook_facts import HookEnded
from ikevd.policy.identity import Identity
from ikevd.policy.updown import Updown

MAX_NUMBER = 2**31 - 1


def follow(draft: Draft, before: Mapping[str, ChildState], *, all_of_them: bool = False) -> None:
    """After a fact: for the children that it has changed, or for all, since the file says otherwise."""
    for name, child in draft.children.items():
        former = before.get(name)
        if (all_of_them or child is not former) and (child.carries or (former and former.hook)):
            _follow(draft, name, child.hook or (former.hook if former else None))
    for name, former in before.items():
        if former.hook is not None and former.hook.up and draft.children.get(name) is None:
            draft.say(RunHook(name, former.hook.call, up=False))


def ended(draft: Draft, fact: HookEnded) -> None:
    """A run has ended."""
    child = draft.child(fact.child)
    if fact.failure is not None and (under := next(reversed([*draft.isakmp]), None)):
        draft.say(Record(under, Note(fact.failure)))
    if child.hook is None or (child.hook.call, child.hook.up) != (fact.call, fact.up):  # it has gone on meanwhile
        return
    over = not fact.up and fact.failure is None
    after = None if over else HookState(fact.call, fact.up, ended=True, failure=fact.failure)
    draft.children.put(fact.child, replace(child, hook=after))


def restarted(draft: Draft) -> None:
    """What the process before has not seen the end of is run again and, where the file wants it, what stands."""
    for name in draft.children:
        hook = draft.child(name).hook
        if hook is not None and (not hook.ended or (hook.up and hook.call.updown.after_restart)):
            _run(draft, name, hook.call, up=hook.up)


def _follow(draft: Draft, name: str, hook: HookState | None) -> None:
    """`hook`: what was run last; the fact may have made the child's record anew, without it."""
    child, shall = draft.child(name), _wanted(draft, name)
    was = hook.call.updown if hook is not None and hook.up else None
    if child.hook is not hook:
        draft.children.put(name, replace(child, hook=hook))
    if hook is not None and was is not None and was != shall:
        _run(draft, name, hook.call, up=False)
    if shall is not None and shall != was:
        _run(draft, name, _call(draft, name, shall), up=True)


def _wanted(draft: Draft, name: str) -> Updown | None:
    """What shall have been run; None where the child is down."""
    child, configured = draft.child(name), draft.configured(name)
    up = child.carries and child.unplaced is None
    return configured.updown if up and configured is not None else None


def _run(draft: Draft, name: str, call: HookCall, *, up: bool) -> None:
    draft.children.put(name, replace(draft.child(name), hook=HookState(call, up)))
    draft.say(RunHook(name, call, up))


def _call(draft: Draft, name: str, updown: Updown) -> HookCall:
    pair = next(pair for pair in reversed(draft.child(name).carrying) if pair.attempt is None and pair.leave_at is None)
    isakmp = draft.isakmp.get(pair.under)
    local = isakmp.sa.local_id if isakmp else draft.connection.local_id
    remote = isakmp.sa.remote_id if isakmp else draft.key.identity
    configured = draft.configured(name)
    assert configured is not None  # it has a program
    interface = draft.connection.interface if configured.routed else None
    return HookCall(
        updown,
        draft.connection.name,
        int.from_bytes(pair.under.initiator[:4], "big") & MAX_NUMBER,
        local or Identity.of_address(pair.sa.local),
        remote or Identity.of_address(pair.sa.remote),
        pair.sa,
        configured.if_id,
        configured.marks.inwards,
        configured.marks.outwards,
        interface.name if interface else None,
    )
