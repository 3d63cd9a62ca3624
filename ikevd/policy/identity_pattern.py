"""Patterns of identities: whom a `remote_id` means that stands for many."""

from __future__ import annotations

import re
from collections import Counter

from ikevd.frozen import frozen
from ikevd.policy import distinguished_names
from ikevd.policy.distinguished_names import Name, Value
from ikevd.policy.identity import Identity
from ikevd.wire.registry import IdType

STAR = b"*"
WANTED = "wanted *.example.net, *@example.net or a distinguished name such as CN=*, O=Example, *"
_REST = re.compile(r",\s*\*\s*$")


@frozen
class NamePattern:
    """`*.example.net` is every name below it, of any depth, and `*@example.net` every address there."""

    type: IdType
    suffix: bytes
    """In small letters, with its dot or at sign."""

    def matches(self, identity: Identity) -> bool:
        """Is it one of those? What stands for the star is not empty, and no sign of another name is in it."""
        data = identity.data.lower().rstrip(b".") if identity.type == IdType.FQDN else identity.data.lower()
        if identity.type != self.type or not data.endswith(self.suffix):
            return False
        first = data.removesuffix(self.suffix)
        return bool(re.fullmatch(rb"[^\x00-\x20*@\x7f]+", first)) and not first.startswith(b".")

    def __str__(self) -> str:
        return f"*{self.suffix.decode()}"


@frozen
class DnPattern:
    """Each attribute must stand in the name, in any order (RFC 4945 section 3.1.5), `*` for whatever value.

    `more`: may others stand there? Written as a last `*`: `O=Example, *`.
    """

    attributes: tuple[Value, ...]
    more: bool
    text: str

    def matches(self, identity: Identity) -> bool:
        """Is it one of those? Several attributes of one type must each meet one of the name's."""
        name = distinguished_names.read(identity.data) if identity.type == IdType.DER_ASN1_DN else None
        if not name:
            return False
        left = Counter(_flat(distinguished_names.folded(name)))
        starred = [one for one in self.attributes if one[2] == STAR]
        for wanted in self.attributes:
            if wanted[2] != STAR and not left[wanted]:
                return False
            if wanted[2] != STAR:
                left[wanted] -= 1
        for oid, _, _ in starred:
            some = next((one for one in left.elements() if one[0] == oid), None)
            if some is None:
                return False
            left[some] -= 1
        return self.more or not left.total()

    def __str__(self) -> str:
        return self.text


Pattern = NamePattern | DnPattern


def parse(text: str) -> Pattern | None:
    """A pattern, or None for an identity, in which no star stands for anything. ValueError for a star elsewhere."""
    text = text.strip()
    if "*" not in text or text.startswith(("keyid:", "dn:0x", "asn1dn:0x")):
        return None
    if "=" in text:
        return _dn(text)
    kind, rest = (IdType.USER_FQDN, text[1:]) if text.startswith("*@") else (IdType.FQDN, text[1:])
    if not re.fullmatch(r"\*[.@][A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.?", text):
        raise ValueError(f"{text[:80]!r} has a * where it stands for nothing; {WANTED}")
    return NamePattern(kind, rest.lower().rstrip(".").encode())


def _dn(text: str) -> DnPattern:
    bare = text.partition(":")[2] if text.startswith(("dn:", "asn1dn:")) else text
    more = bool(_REST.search(bare))
    name = distinguished_names.read(distinguished_names.encode(_REST.sub("", bare)))
    attributes = _flat(distinguished_names.folded(name or ()))
    if any(STAR in value and value != STAR for _, _, value in attributes):
        raise ValueError(f"{text[:80]!r} has a * within a value; wanted it alone, as in CN=*, O=Example")
    return DnPattern(attributes, more, text)


def _flat(name: Name) -> tuple[Value, ...]:
    return tuple(value for rdn in name for value in rdn)
