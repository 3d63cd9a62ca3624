"""The key log: for its owner alone, in Wireshark's form, and never in the way of an SA."""

from __future__ import annotations

from pathlib import Path

import pytest

from ikevd.errors import CannotStart, ConfigError
from ikevd.observe.keylog import KeyLog
from ikevd.sa.model import IsakmpSa
from tests.gateways import alice_and_bob, bring_up
from tests.virtual_time import run


def isakmp_sa() -> IsakmpSa:
    async def story() -> IsakmpSa:
        _, alice, _ = alice_and_bob()
        await bring_up(alice)
        return alice.session.live[0].sa

    return run(story())


def test_a_line_is_cookie_and_key_and_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    sa, file = isakmp_sa(), tmp_path / "keys"
    keys = KeyLog(file)
    keys.write(sa)
    keys.close()
    assert file.read_text() == f"{sa.cookies.initiator.hex()},{sa.cipher_key.reveal().hex()}\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_key_that_cannot_be_written_costs_the_line_and_not_the_sa(tmp_path: Path) -> None:
    keys = KeyLog(tmp_path / "keys")
    keys.close()
    keys.write(isakmp_sa())


def test_what_is_no_regular_file_is_refused() -> None:
    with pytest.raises(ConfigError, match="key log /dev/null: not a regular file"):
        KeyLog(Path("/dev/null"))


def test_what_cannot_be_opened_is_told_with_what_mends_it() -> None:
    with pytest.raises(CannotStart, match=r"key log /nowhere/keys cannot be used: .*; make the folder /nowhere"):
        KeyLog(Path("/nowhere/keys"))
