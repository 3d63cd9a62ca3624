"""What passes outside of every tunnel, beside another ikevd."""

from __future__ import annotations

from ikevd.kernel.memory import MemoryKernel
from ikevd.negotiation.outside import Outside
from ikevd.peer.child_state import ChildState
from ikevd.peer.desired import desired_child
from ikevd.peer.outside import outside
from ikevd.policy.settings import Config
from tests.builders import connection

VIEW = connection()
GATE = desired_child(VIEW, VIEW.children[0], ChildState()).policies


async def test_it_stays_while_another_ikevd_still_has_blocks() -> None:
    kernel, troubles = MemoryKernel(), list[str]()
    ours = Outside(kernel, outside(Config((VIEW,)), ()), troubles.append)
    for gate in GATE.values():
        await kernel.put_policy(gate)
    await ours.put({})
    await ours.remove()
    assert kernel.policies.keys() == GATE.keys() | ours.policies.keys()
    for gate in GATE.values():
        await kernel.delete_policy(gate.id, gate.reqid)
    await ours.remove()
    assert not kernel.policies
    assert not troubles
