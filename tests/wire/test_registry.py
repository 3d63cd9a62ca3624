"""Numbers of IANA: named where there is a name, kept where there is none."""

from __future__ import annotations

import pytest

from ikevd.observe.packed import pack, pickled, unpack
from ikevd.wire.registry import Flags, Group, IdType, NotifyType, PayloadType


def test_a_known_number_prints_its_name() -> None:
    assert str(Group(14)) == "MODP_2048"
    assert Group(14).known
    assert Group(14) is Group.MODP_2048


def test_an_unknown_number_is_kept_and_prints_as_such() -> None:
    assert str(Group(99)) == "GROUP_99"
    assert not Group(99).known
    assert (Group(99), int(Group(99))) == (Group(99), 99)
    assert hash(PayloadType(200)) == hash(200)


@pytest.mark.parametrize("number", [Group.MODP_2048, Group(99), Flags(7), Flags(0xF8)], ids=repr)
def test_a_number_known_or_not_comes_back_from_the_packed_record(number: Group | Flags) -> None:
    """Debian 12's Python 3.11.2 pickles an enum by a name, which an unknown number has not."""
    (back,) = unpack(pack(*pickled([number])))
    assert (type(back), back) == (type(number), number)


def test_what_is_no_number_is_no_member() -> None:
    for value in (-1, "PSK"):
        with pytest.raises(ValueError, match="is not a valid IdType"):
            IdType(value)  # type: ignore[arg-type]


def test_an_error_type_lies_below_16384() -> None:
    assert NotifyType.NO_PROPOSAL_CHOSEN.is_error
    assert NotifyType(16383).is_error
    assert not NotifyType.CONNECTED.is_error
