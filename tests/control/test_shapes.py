"""What the API gives out is what `docs/json.md` and `docs/json.schema.json` say, field by field and type by type."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ConfigDict, TypeAdapter, ValidationError

from ikevd.control import line_shapes, reload_shapes, shapes, status_shapes
from ikevd.control.client import Client
from ikevd.control.command import Command
from ikevd.control.reload import refused_view, reload_view
from ikevd.errors import IkeError, Said
from ikevd.facts import Dropped, Established, Fact, Failed, Heard, Hint, Note, Repeated, Sent
from ikevd.observe.history import Entry
from ikevd.observe.shapes import Record
from ikevd.observe.views import entry_view
from ikevd.policy.changes import changes
from ikevd.policy.nat import Encap
from ikevd.policy.settings import Config
from ikevd.wire.registry import NotifyType
from tests.builders import ALICE, ALICE_TO_BOB, BOB, mirrored, psk
from tests.control.controlled import BOTH, LAN, SILENT, controlled, ignore, status_of, traced
from tests.control.standin import RECORD, STATUS, Daemon
from tests.gateways import World, alice_and_bob
from tests.virtual_time import run
from tools import json_docs

EXACTLY = ConfigDict(extra="forbid", strict=True)
FACTS: list[Fact] = [
    Sent("MM1", ("SA",), b"x", ALICE_TO_BOB),
    Heard("MM1", ("SA",), b"x", ALICE_TO_BOB),
    Repeated("MM1", answered=False),
    Dropped("MM2", Said("bad"), "InvalidHash", 76),
    Hint(NotifyType.INVALID_SPI),
    Note(Said("so")),
    Established(Said("up")),
    Failed(Said("silent"), "NoAnswer"),
]


def fits(answer: object, kind: Any) -> None:
    """As it arrives: through JSON, with no field too many or too few and no type converted."""
    TypeAdapter(list[kind], config=EXACTLY).validate_python(json.loads(json.dumps([answer])))


# -- the files ------------------------------------------------------------------------------------------------------


def test_the_committed_schema_is_that_of_the_shapes() -> None:
    assert json_docs.SCHEMA.read_text() == json_docs.schema_text(), "run `make docs`"


def test_the_committed_page_is_that_of_the_shapes() -> None:
    assert json_docs.PAGE.read_text() == json_docs.page_text(), "run `make docs`"


def test_every_field_has_a_meaning() -> None:
    rows = [line.split(" | ") for line in json_docs.page_text().splitlines() if line.startswith("| `")]
    assert len(rows) > 50
    assert not [row for row in rows if not row[-1].strip(" |")]


# -- real answers ---------------------------------------------------------------------------------------------------


def test_status_and_trace_fit_before_during_and_after_success() -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob(None, replace(BOTH, encap=Encap.FORCE))
        for gateway in (alice, bob):
            fits(await status_of(controlled(gateway)), status_shapes.Status)
        up = asyncio.create_task(controlled(alice).up("bob", ignore))
        await asyncio.sleep(0.015)
        fits(await status_of(controlled(alice)), status_shapes.Status)
        await up
        await asyncio.sleep(1)
        for gateway in (alice, bob):
            status = await status_of(controlled(gateway))
            fits(status, status_shapes.Status)
            (one,) = status["connections"]
            assert one["isakmp"][0]["nat"]
            assert one["children"][0]["sas"][0]["udp_encapsulation"]
            records = await traced(controlled(gateway))
            fits({"schema": 1, "records": records}, shapes.Trace)

    run(story())


def test_status_and_trace_of_aggressive_mode_fit() -> None:
    async def story() -> None:
        view = replace(BOTH, aggressive=True)
        _, alice, _ = alice_and_bob(None, view)
        controller = controlled(alice)
        await controller.up("bob", ignore)
        status = await status_of(controller)
        fits(status, status_shapes.Status)
        (isakmp,) = status["connections"][0]["isakmp"]
        assert (isakmp["exchange"], isakmp["cisco"]["asa"]) == ("AGGRESSIVE", "AM_ACTIVE")
        fits({"schema": 1, "records": await traced(controller)}, shapes.Trace)

    run(story())


def test_status_and_trace_of_failures_fit() -> None:
    async def story() -> None:
        world = World()
        alice = world.gateway(ALICE, BOTH)
        world.gateway(BOB, replace(mirrored(BOTH), psk=psk("another")), seed=1)
        controller = controlled(alice)
        with pytest.raises(IkeError):
            await controller.up("lan", ignore)
        fits(await status_of(controller), status_shapes.Status)
        fits({"schema": 1, "records": await traced(controller)}, shapes.Trace)

    run(story())


@pytest.mark.parametrize("lost", [False, True], ids=["up", "not up"])
def test_every_line_of_up_fits(lost: bool) -> None:
    async def story() -> None:
        _, alice, _ = alice_and_bob(SILENT if lost else None, BOTH)
        controller = controlled(alice)
        async with Command(lambda progress: controller.up("bob", progress), timeout=60) as command:
            lines = [line async for line in command]
        for line in lines:
            fits({"schema": 1, **line}, line_shapes.Line)
        assert len(lines) > 2
        assert lines[-1]["ok"] is not lost

    run(story())


async def test_what_travels_over_the_socket_fits(daemon: Daemon) -> None:
    fits(await daemon.ask(Client.version), shapes.Version)
    fits(await daemon.ask(Client.status), status_shapes.Status)
    fits({"schema": 1, "connections": await daemon.ask(Client.names)}, shapes.Names)
    fits(await daemon.ask(Client.reload), reload_shapes.Reload)
    for name in ("berlin", "dmz"):
        for line in await daemon.ask(lambda client, name=name: list(client.up(name, 5))):  # type: ignore[misc]
            fits(line, line_shapes.Line)


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: type(fact).__name__)
def test_every_kind_of_fact_fits(fact: Fact) -> None:
    fits({**RECORD, "events": [entry_view(Entry(7.5, fact))]}, Record)


def test_the_view_of_a_reload_fits() -> None:
    before, after = Config((BOTH,)), Config((replace(BOTH, psk=psk("other"), children=(LAN,)),), log_level="debug")
    fits(reload_view(changes(before, after), dry_run=True, remarks=["so"]), reload_shapes.Reload)
    fits(refused_view(["why"], dry_run=False), reload_shapes.Reload)


def test_the_stand_in_of_other_tests_fits() -> None:
    fits(STATUS, status_shapes.Status)
    fits(RECORD, Record)


# -- the test itself ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        {**STATUS, "more": 1},
        {key: value for key, value in STATUS.items() if key != "pid"},
        {**STATUS, "pid": "4711"},
        {**STATUS, "schema": 2},
        {**STATUS, "connections": [{**STATUS["connections"][0], "more": 1}]},
    ],
    ids=["a field too many", "a field too few", "another type", "another schema", "a field too many inside"],
)
def test_what_does_not_fit_is_noticed(answer: object) -> None:
    with pytest.raises(ValidationError):
        fits(answer, status_shapes.Status)
