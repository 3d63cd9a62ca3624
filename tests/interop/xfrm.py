"""What the kernel holds, as `ip xfrm` prints it."""

import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class XfrmState:
    """One SA of `ip -s xfrm state`. Keys are hexadecimal digits; an AEAD's key includes its salt."""

    src: str
    dst: str
    proto: str
    spi: int
    reqid: int
    mode: str
    auth: str | None
    auth_key: str | None
    auth_bits: int | None  # of the ICV
    enc: str | None
    enc_key: str | None
    aead_bits: int | None  # of the ICV; set if `enc` is an AEAD
    encap: tuple[int, int] | None  # UDP source and destination port
    if_id: int
    replay_window: int
    bytes: int
    packets: int
    text: str = field(repr=False, compare=False)


@dataclass(frozen=True)
class XfrmPolicy:
    """One policy of `ip xfrm policy`, without those of sockets."""

    src: str
    dst: str
    direction: str  # in, out, fwd
    action: str  # allow, block
    priority: int
    selector: str  # the rest of the selector: "proto tcp dport 80", often ""
    templates: tuple["XfrmTemplate", ...]
    if_id: int
    text: str = field(repr=False, compare=False)

    @property
    def gate(self) -> tuple[str, str] | None:
        """What a child's gate does in that direction; None where no tunnel is meant, as with a bypass."""
        return (self.direction, self.action) if self.templates else None


@dataclass(frozen=True)
class XfrmTemplate:
    src: str
    dst: str
    proto: str
    spi: int  # 0: any
    reqid: int
    mode: str


def _blocks(text: str) -> list[str]:
    """The entries of `ip xfrm` output: each starts in the first column."""
    return [block for block in re.split(r"^(?=\S)", text, flags=re.MULTILINE) if block.startswith("src ")]


def _find(pattern: str, text: str) -> tuple[str, ...] | None:
    match = re.search(pattern, text, flags=re.MULTILINE)
    return match.groups() if match else None


def _need(pattern: str, text: str) -> tuple[str, ...]:
    found = _find(pattern, text)
    assert found is not None, f"no {pattern!r} in:\n{text}"
    return found


def _number(pattern: str, text: str) -> int:
    found = _find(pattern, text)
    return int(found[0], 0) if found else 0


def parse_states(text: str) -> list[XfrmState]:
    """Parse `ip -s xfrm state`."""
    states = []
    for block in _blocks(text):
        src, dst = _need(r"^src (\S+) dst (\S+)", block)
        proto, spi, reqid, mode = _need(r"proto (\S+) spi (0x\w+)\S* reqid (\d+)\S* mode (\w+)", block)
        auth = _find(r"^\s+auth(?:-trunc)? (\S+) 0x(\w*)(?: \(\d+ bits\))?(?: (\d+))?", block)
        enc = _find(r"^\s+enc (\S+) (?:0x(\w*))?", block)
        aead = _find(r"^\s+aead (\S+) 0x(\w*)(?: \(\d+ bits\))? (\d+)", block)
        encap = _find(r"encap type espinudp sport (\d+) dport (\d+)", block)
        cipher = aead or enc or (None, None)
        states.append(
            XfrmState(
                src=src,
                dst=dst,
                proto=proto,
                spi=int(spi, 16),
                reqid=int(reqid),
                mode=mode,
                auth=auth[0] if auth else None,
                auth_key=auth[1] if auth else None,
                auth_bits=int(auth[2]) if auth and auth[2] else None,
                enc=cipher[0],
                enc_key=cipher[1],
                aead_bits=int(aead[2]) if aead else None,
                encap=(int(encap[0]), int(encap[1])) if encap else None,
                if_id=_number(r"if_id (0x\w+)", block),
                replay_window=_number(r"replay-window (\d+)", block),
                bytes=_number(r"lifetime current:\s+(\d+)\(bytes\)", block),
                packets=_number(r"lifetime current:\s+\d+\(bytes\), (\d+)\(packets\)", block),
                text=block,
            )
        )
    return states


def parse_policies(text: str) -> list[XfrmPolicy]:
    """Parse `ip -s xfrm policy`."""
    policies = []
    for block in _blocks(text):
        found = _find(r"^\s+dir (\w+)", block)
        if found is None:
            continue  # a socket's own policy
        src, dst, selector = _need(r"^src (\S+) dst (\S+)[ \t]*(.*)", block)
        head, *tails = re.split(r"^\s+tmpl ", block, flags=re.MULTILINE)
        templates = []
        for tail in tails:
            outer = _need(r"^src (\S+) dst (\S+)", tail)
            proto, spi, reqid, mode = _need(r"proto (\S+)(?: spi (0x\w+)\S*)? reqid (\d+)\S* mode (\w+)", tail)
            number = int(spi or "0", 16)  # no SPI: any
            templates.append(XfrmTemplate(outer[0], outer[1], proto, number, int(reqid), mode))
        policies.append(
            XfrmPolicy(
                src=src,
                dst=dst,
                direction=found[0],
                action=(_find(r"action (\w+)", head) or ("allow",))[0],
                priority=_number(r"priority (\d+)", head),
                selector=re.sub(r"\s*uid \d+", "", selector).strip(),
                templates=tuple(templates),
                if_id=_number(r"if_id (0x\w+)", block),
                text=block,
            )
        )
    return policies
