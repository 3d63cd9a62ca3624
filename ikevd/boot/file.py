"""The file of blocks: selectors, priorities and reqids, no key and no name. It outlives the machine's restart."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from ikevd.errors import CannotStart
from ikevd.host.policies import Action, Direction, KernelPolicy, PolicyId, Template
from ikevd.obstacles import obstacle
from ikevd.policy.marks import Mark

BLOCKS = "blocks"
"""Its name in the state folder."""
FORMAT = 1
WHAT = "the file of blocks"
View = dict[str, Any]


def write_blocks(path: Path, policies: Iterable[KernelPolicy]) -> None:
    """In the place of the old one, in one step. Raises `CannotStart` where it cannot be written."""
    text = json.dumps({"format": FORMAT, "policies": [_view(policy) for policy in policies]}, indent=0)
    fresh = path.with_name(f"{path.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        fresh.rename(path)
    except OSError as error:
        raise obstacle(WHAT, path, error) from error


def read_blocks(path: Path) -> tuple[KernelPolicy, ...]:
    """Raises `CannotStart` where it cannot be read, is no such file, or one of a later format."""
    try:
        document = json.loads(path.read_text(encoding="ascii"))
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']!r}, wanted {FORMAT}")
        return tuple(map(_policy, document["policies"]))
    except OSError as error:
        raise CannotStart(f"{WHAT} {path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CannotStart(f"{WHAT} {path} cannot be used: {type(error).__name__}: {error}") from error


def _view(policy: KernelPolicy) -> View:
    name, template = policy.id, policy.template
    view: View = {
        "source": str(name.source),
        "destination": str(name.destination),
        "protocol": name.protocol,
        "source_port": name.source_port,
        "destination_port": name.destination_port,
        "direction": name.direction.value,
        "action": policy.action.value,
        "priority": policy.priority,
    }
    if name.if_id:
        view["if_id"] = name.if_id
    if name.mark is not None:
        view["mark"] = [name.mark.value, name.mark.mask]
    if template is not None:
        view |= {"from": str(template.source), "to": str(template.destination), "reqid": template.reqid}
    return view


def _policy(view: View) -> KernelPolicy:
    ports = (_number(view["source_port"], 16), _number(view["destination_port"], 16))
    ends = (ip_network(view["source"]), ip_network(view["destination"]))
    packets = *ends, _number(view["protocol"], 8), *ports, Direction(view["direction"])
    mark = Mark(*(_number(one, 32) for one in view["mark"])) if "mark" in view else None
    name = PolicyId(*packets, _number(view.get("if_id", 0), 32), mark)
    template = None
    if "reqid" in view:
        template = Template(ip_address(view["from"]), ip_address(view["to"]), _number(view["reqid"], 32))
    return KernelPolicy(name, Action(view["action"]), _number(view["priority"], 32), template)


def _number(value: Any, bits: int) -> int:
    if type(value) is not int or not 0 <= value < 1 << bits:
        raise ValueError(f"{value!r} where a number of {bits} bits is wanted")
    return value
