"""`ikevd reload`: the plan in words, and what is wrong with a file; against a small real server."""

from __future__ import annotations

import json

import pytest

from tests.cli.invoked import ikevd
from tests.control.standin import UNUSABLE, StandIn

SAID = """\
997 connections unchanged
changed: berlin: ike_proposals (negotiated anew; what stands carries the traffic until then)
changed: berlin/lan: remote (ends now and begins anew; its traffic is blocked meanwhile)
removed: berlin/old
added: berlin/dmz
removed: paris
added: madrid
changed: log.level (holds from now on)
listen.port takes effect at the next start
"""


def test_each_thing_that_changes_has_a_line(served: str, controller: StandIn) -> None:
    result = ikevd("reload", "--socket", served)
    assert (result.exit_code, result.stdout) == (0, SAID)
    assert controller.asked == [("reload", None)]


def test_a_dry_run_says_that_nothing_has_changed(served: str, controller: StandIn) -> None:
    result = ikevd("reload", "--dry-run", "--socket", served)
    assert (result.exit_code, result.stdout) == (0, f"{SAID}only looked at: nothing has changed\n")
    assert controller.asked == [("reload", "dry run")]


def test_all_that_is_wrong_with_the_file_is_on_standard_error(served: str, controller: StandIn) -> None:
    controller.reloaded = UNUSABLE
    result = ikevd("reload", "--socket", served)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "/etc/ikevd/ikevd.yaml:3:5: connections.berlin: has no psk\n"
        "evil \\x1b[2J\n"
        "the file cannot be used: nothing has changed\n"
    )


@pytest.mark.parametrize("usable", [True, False])
def test_as_json_it_is_the_answer_itself(served: str, controller: StandIn, usable: bool) -> None:
    if not usable:
        controller.reloaded = UNUSABLE
    result = ikevd("reload", "--json", "--socket", served)
    assert json.loads(result.stdout) == controller.reloaded
    assert result.exit_code == (0 if usable else 1)


def test_without_a_daemon_the_cause_is_one_sentence() -> None:
    result = ikevd("reload", "--socket", "/nowhere/s")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("is ikevd running?")
