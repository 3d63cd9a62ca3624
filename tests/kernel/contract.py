"""What every `Kernel` must do: run on the one in memory by `make check`, on Linux inside the rig."""

from tests.kernel.contract_events import EventContract
from tests.kernel.contract_ipcomp import IpcompContract
from tests.kernel.contract_leavings import LeavingsContract
from tests.kernel.contract_policies import PolicyContract
from tests.kernel.contract_protocols import ProtocolContract
from tests.kernel.contract_sas import SaContract
from tests.kernel.contract_traps import TrapContract


class KernelContract(
    SaContract, PolicyContract, ProtocolContract, IpcompContract, EventContract, TrapContract, LeavingsContract
):
    """The suite: a subclass gives the fixture `bench`."""
