"""Whatever the screen of `ikevd status` shows, it keeps to the width that it has."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ikevd.cli.screen import screen
from tests.cli.status_views import FAILED, HEAD, ISAKMP, SA, child, connection

WORD = st.text("abcdefgh.:/-=0123456789", min_size=1, max_size=36)
WORDS = st.lists(WORD, max_size=12)
NUMBER = st.integers(0, 10**13)
AGE = st.integers(0, 10**6)
ANY_SA = st.fixed_dictionaries(
    {
        **{name: st.just(value) for name, value in SA.items()},
        **dict.fromkeys(("bytes_in", "packets_in", "bytes_out", "packets_out", "replayed_in", "forged_in"), NUMBER),
        "remote": WORD,
        "suite": WORD,
        "age_seconds": AGE,
        "udp_encapsulation": st.sampled_from([None, {"local_port": 4500, "remote_port": 61234}]),
        "ipcomp": st.sampled_from([None, {"cpi_in": "d001", "cpi_out": "4242"}]),
    }
)
ANY_CHILD = st.builds(
    child,
    name=WORD,
    local=WORD,
    remote=WORD,
    state=st.sampled_from(["up", "down", "retry", "negotiating"]),
    last_cause=st.none() | WORDS.map(" ".join),
    retry_in_seconds=st.none() | st.integers(0, 300),
    last_in_seconds=st.none() | AGE,
    one_way_seconds=st.none() | AGE,
    esp_proposals=WORDS,
    sas=st.lists(ANY_SA, max_size=2),
)
ANY_ISAKMP = st.fixed_dictionaries(
    {**{name: st.just(value) for name, value in ISAKMP.items()}, "remote_id": WORD, "peer_vendors": WORDS}
)
ANY_CONNECTION = st.builds(
    connection,
    name=WORD,
    local=WORD,
    remote=WORD,
    negotiating=st.booleans(),
    phase1=st.sampled_from([None, FAILED, {**FAILED, "outcome": "negotiating"}]),
    ike_proposals=WORDS,
    isakmp=st.lists(ANY_ISAKMP, max_size=2),
    children=st.lists(ANY_CHILD, max_size=3),
)


@given(ANY_CONNECTION, st.sampled_from([60, 80, 140]))
def test_no_line_is_longer_than_the_screen_whatever_it_holds(view: dict[str, Any], width: int) -> None:
    for line in screen({**HEAD, "connections": [view]}, width, config=True):
        assert line.cell_len <= width, line.plain
