"""Which end begins a tunnel."""

from __future__ import annotations

from typing import Literal

import pytest

from tests.interop.daemon import Ikevd
from tests.interop.strongswan import StrongSwan

Beginner = Literal["ikevd", "strongSwan"]
EITHER = pytest.mark.parametrize("beginner", ["ikevd", "strongSwan"])


def bring_up(beginner: Beginner, ikevd: Ikevd, charon: StrongSwan) -> None:
    """The child `lan`."""
    if beginner == "ikevd":
        ikevd.up("lan")
    else:
        charon.bring_up()
