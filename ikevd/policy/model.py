"""The former place of these names, until the tests follow."""

from __future__ import annotations

from ikevd.policy.child import Child as Child
from ikevd.policy.child import Pfs as Pfs
from ikevd.policy.child import Rekey as Rekey
from ikevd.policy.child import Start as Start
from ikevd.policy.connection import AddressRange as AddressRange
from ikevd.policy.connection import Connection as Connection
from ikevd.policy.connection import Location as Location
from ikevd.policy.connection import PreSharedKey as PreSharedKey
from ikevd.policy.connection import Resend as Resend
from ikevd.policy.connection import Unique as Unique
from ikevd.policy.dpd import Dpd as Dpd
from ikevd.policy.dpd import DpdAction as DpdAction
from ikevd.policy.dpd import DpdMode as DpdMode
from ikevd.policy.lives import Lifetime as Lifetime
from ikevd.policy.lives import LifetimeCheck as LifetimeCheck
from ikevd.policy.nat import Encap as Encap
from ikevd.policy.nat import NatMethod as NatMethod
from ikevd.policy.settings import Bypass as Bypass
from ikevd.policy.settings import Config as Config
from ikevd.policy.settings import Control as Control
from ikevd.policy.settings import Limits as Limits
from ikevd.policy.settings import Listen as Listen
from ikevd.policy.settings import LogFormat as LogFormat
from ikevd.policy.settings import Looks as Looks
from ikevd.policy.settings import OnStop as OnStop
from ikevd.policy.suites import EspSuite as EspSuite
from ikevd.policy.suites import IkeSuite as IkeSuite
