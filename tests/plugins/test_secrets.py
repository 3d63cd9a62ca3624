"""The guard against secrets in output bites."""

from __future__ import annotations

import base64

import pytest

from tests.plugins.secrets import MARK, shows_secret


@pytest.mark.parametrize("prefix", ["", "a", "ab"])
def test_the_mark_is_seen_in_every_notation(prefix: str) -> None:
    secret = f"{prefix}{MARK} and more".encode()
    assert shows_secret(secret.decode())
    assert shows_secret(secret.hex())
    assert shows_secret(base64.b64encode(secret).decode())


def test_other_text_is_not_taken_for_it() -> None:
    assert not shows_secret("a marked secret, in words, is none")


def test_a_test_that_prints_the_mark_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(f"def test_leak(): print('key: {MARK}')")
    alone = ("-p", "tests.plugins.secrets", "-p", "no:asyncio", "--show-capture=no")
    pytester.runpytest(*alone).assert_outcomes(failed=1)
