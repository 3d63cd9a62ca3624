"""`docs/configuration.md` and `config/ikevd.schema.json`, from the sections of `ikevd.config.schema`.

Run: `python -m tools.config_docs`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ikevd.config import json_schema
from ikevd.config.json_schema import Json

ROOT = Path(__file__).resolve().parent.parent
PAGE, SCHEMA = ROOT / "docs" / "configuration.md", ROOT / "config" / "ikevd.schema.json"

SECTIONS = {
    "the file": "FileSection",
    "connections.NAME": "ConnectionSection",
    "connections.NAME.children.NAME": "ChildSection",
    "connections.NAME.retransmit": "RetransmitSection",
    "connections.NAME.dpd": "DpdSection",
    "connections.NAME.interface": "InterfaceSection",
    "connections.NAME.route": "RouteSection",
    "bypass.NAME": "BypassSection",
    "drop.NAME": "DropSection",
    "listen": "ListenSection",
    "control": "ControlSection",
    "limits": "LimitsSection",
    "log": "LogSection",
}
INTRODUCTION = """\
# Configuration

Made from `ikevd/config/schema.py` and the modules that it names by `make docs`; a test compares it. The file is YAML,
by default `/etc/ikevd/ikevd.yaml`. A commented one with every key is [config/ikevd.yaml](../config/ikevd.yaml), whole
pairs with other gateways are in [config/examples](../config/examples/README.md), the words of proposals in
[algorithms.md](algorithms.md). `ikevd check` tells every mistake with line and column, and what deserves a second look.

Text needs no quotes, but where it holds ` #` or begins with a sign. Numbers are decimal, durations `3600s`, `60m`, `8h`
or `1d`. Where several values may stand, one may stand alone: `local: 10.1.0.0/24` or
`local: [10.1.0.0/24, 10.3.0.0/24]`.

For editors there is a [JSON Schema](../config/ikevd.schema.json), also from `ikevd schema`. With the YAML language
server, one line in the file is enough: `# yaml-language-server: $schema=/etc/ikevd/ikevd.schema.json`.

## Whose the files are

Whoever can change the configuration or a key, or put another file in its place, decides who gets into your networks. So
`ikevd run` takes a file only if it, every link and every folder on the way belong to root or to the user whom ikevd
runs as, and nobody else may write there (in a sticky folder such as `/tmp` it counts whose the next entry is). A file
that holds a key must be readable by its owner alone (mode 600 or 400), with one exception: a secret of Kubernetes or
Docker. Root owns it, and a daemon that is not root may read it as a member of its group (mode 0440). With
`ikevd run --key-log FILE`, FILE and its folder are held to the same, and a link is not followed.

## Identities

`local_id` and `remote_id`, one notation for each type of RFC 2407 section 4.6.2.1:

| notation | type |
|---|---|
| `192.0.2.1`, `2001:db8::1` | ID_IPV4_ADDR, ID_IPV6_ADDR |
| `gw.example.net`, `@gw.example.net` | ID_FQDN |
| `user@example.net` | ID_USER_FQDN |
| `10.0.0.0/8`, `2001:db8::/32` | ID_IPV4_ADDR_SUBNET, ID_IPV6_ADDR_SUBNET |
| `10.0.0.1-10.0.0.9`, `2001:db8::1-2001:db8::9` | ID_IPV4_ADDR_RANGE, ID_IPV6_ADDR_RANGE |
| `CN=gw, O=Example, C=DE` | ID_DER_ASN1_DN, as RFC 4514 has it: most specific part first (strongSwan: last) |
| `gn:0x82026777` | ID_DER_ASN1_GN, its DER |
| `keyid:group`, `keyid:0x00ff` | ID_KEY_ID, for example the group name of Cisco |

What the notation would take for another type is forced by a word in front: `ipv4:`, `ipv6:`, `fqdn:` (`dns:`),
`email:` (`userfqdn:`, `rfc822:`), `ipv4net:`, `ipv6net:`, `ipv4range:`, `ipv6range:`, `keyid:`, `dn:` (`asn1dn:`),
`gn:` (`asn1gn:`). `0x` and hexadecimal digits may follow each.

Identities are equal octet by octet, with two exceptions. Names of hosts and users (ID_FQDN, ID_USER_FQDN) are equal
whatever the case of their letters and a dot at the end, as strongSwan and libreswan have it; distinguished names are
when they say the same, in whatever string types.

## Transport mode, AH, ESN

A child with `mode: transport` (Cisco's `mode transport`) protects the traffic of the two peers themselves, as L2TP,
GRE and IPIP want it. Its `local` and `remote` may be left out, or name a protocol and a port: `local:
dynamic[udp/1701]`, `remote: dynamic[udp]`. `dynamic` is the address of the SA's end; an address may stand there only
if the connection has it as its own. While the child is down its traffic is blocked, as that of every child
(`fail_open`): where `local` of the connection is left out, whatever goes to the peer from here, forwarded packets
too; where `remote` is `any`, a network or a name, nothing. Behind a NAT each end has the addresses that it sees as
selectors, as strongSwan does it, and says NAT-OA (RFC 3947 section 5.2). A peer that offers only the other mode is
refused with NO_PROPOSAL_CHOSEN, and both modes stand in the reason.

`ah_proposals` in place of `esp_proposals` make AH (RFC 4302), in both modes: `sha256`, `sha384`, `sha512`, `aesxcbc`,
`sha1` and `md5`, and a group for perfect forward secrecy. AH protects addresses, so no NAT lets it pass: it is not
begun where phase 1 found one, and the reason says so. AH and ESP in one bundle are not made, nor accepted: ESP alone
authenticates as well, and `null-sha256` encrypts nothing either.

`-esn` at the end of a proposal (strongSwan's word) asks for sequence numbers of 64 bits (RFC 4304); a peer that shall
do without as well gets both, as in `[aes256-sha256-esn, aes256-sha256]`.

## Compression

`ipcomp: true` of a child (strongSwan's `ipcomp = yes`, libreswan's `compress=yes`) asks for IPComp with deflate
(RFC 3173) before ESP, in both modes. It is a wish: ESP with IPCOMP is offered first and ESP alone second, and taken
likewise. Where nothing is compressed the record says why: the peer does without; ESP travels in UDP, as behind a NAT,
where strongSwan has no IPComp either; or the tunnel is of another IP version than what it carries, which the kernel
cannot compress. Only libreswan with `compress=no` refuses an offer that has IPComp in it, whatever else it has.

Packets that would not get shorter, as small ones, pass as they are: `ikevd status` shows a pair with `compressed` and
its CPIs, new ones for each pair. In the kernel the tunnel is then that of IPComp, with ESP in transport mode around it,
and the kernel makes SAs of IP in IP beside it, which go with it. So a packet that has come out of ESP passes the
firewall once more as protocol 108 or 4 (41 for IPv6), from the peer to this end: an INPUT chain that drops has to let
that in, for example by `iptables -A INPUT -m policy --dir in --pol ipsec -j ACCEPT`. The kernel needs `ipcomp`
(`ipcomp6`), `xfrm4_tunnel` (`xfrm6_tunnel`) and `deflate`, which load by themselves; without them the child stays down
and says what is missing, and the others go on. CPIs of ours are 0xd000 to 0xdfff, so 4,096 pairs of one address may
compress.

AH, `tfc_padding` and a VTI are refused beside it. Of interfaces wanted is `kind: xfrm`, and one for all that a
connection compresses: of SAs of IP in IP the kernel keeps one for two ends, with the `if_id` of whatever came first.

How short a packet becomes tells of what is in it: whoever can have text of their own sent through the tunnel, beside a
secret in the same packet, can guess that by the lengths.
"""


def page() -> str:
    """All keys, a line each."""
    return "\n".join([INTRODUCTION, *_sections()])


def _sections() -> Iterator[str]:
    schema = json_schema.schema()
    for title, name in SECTIONS.items():
        section: Json = schema if name == "FileSection" else schema["$defs"][name]
        yield f"## {title}\n\n{section['description']}\n\n| key | default | |\n|---|---|---|"
        for key, one in section["properties"].items():
            yield f"| `{key}` | {default_of(section, key, one)} | {one['description'].replace('|', '&#124;')} |"
        yield ""


def default_of(section: Json, key: str, one: Json) -> str:
    """In Markdown; empty where there is none."""
    if key in section.get("required", ()):
        return "*required*"
    match one.get("default"):
        case None:
            return ""
        case bool() as switch:
            return f"`{str(switch).lower()}`"
        case list() | tuple() as items:
            return ", ".join(f"`{item}`" for item in items)
        case value:
            return f"`{value}`"


def main() -> None:
    """Write both files."""
    PAGE.write_text(page())
    SCHEMA.write_text(json_schema.text())


if __name__ == "__main__":
    main()
