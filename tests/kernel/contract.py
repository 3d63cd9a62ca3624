"""What every `Kernel` must do: run on the one in memory by `make check`, on Linux inside the rig."""

from tests.kernel.contract_events import EventContract
from tests.kernel.contract_leavings import LeavingsContract
from tests.kernel.contract_policies import PolicyContract
from tests.kernel.contract_sas import SaContract


class KernelContract(SaContract, PolicyContract, EventContract, LeavingsContract):
    """The suite: a subclass gives the fixture `bench`."""
