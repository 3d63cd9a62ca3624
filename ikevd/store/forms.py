"""The form of a record, derived from the types of its fields: which values it may hold and how they are written.

Nothing but the types that a record names can come out of the store, whatever stands in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any, NewType, Union, get_args, get_origin, get_type_hints

from ikevd.errors import Finding, Said
from ikevd.finding_kinds import FINDINGS
from ikevd.store.scalars import ADDRESS, INTERFACE, NETWORK, SCALARS, Form, Plain, Unreadable, checked, enumeration

KIND = "kind"
"""The key of a finding's class. No finding has a field of this name."""
MAX_NAME = 40
"""Characters of an unknown kind that are shown."""


_made: dict[object, Form] = dict(SCALARS)


def form_of(hint: object) -> Form:
    """Of a type, or of what stands as the type of a field. Raises TypeError for one that cannot be stored."""
    if hint not in _made:
        _made[hint] = _make(hint)
    return _made[hint]


def _make(hint: Any) -> Form:
    if isinstance(hint, NewType):
        return form_of(hint.__supertype__)
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return _union(get_args(hint))
    if origin is tuple and get_args(hint)[1:] == (...,):
        return _sequence(form_of(get_args(hint)[0]))
    if origin is Mapping:
        return _mapping(*map(form_of, get_args(hint)))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return enumeration(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return _FINDING if hint is Finding else _record(hint)
    raise TypeError(f"{hint} cannot be stored")


def _union(hints: tuple[Any, ...]) -> Form:
    """Of addresses, of networks, of findings, or of one type and None."""
    kinds = [hint for hint in hints if hint is not NoneType]
    if all(SCALARS.get(kind) is ADDRESS for kind in kinds):
        form = ADDRESS
    elif all(SCALARS.get(kind) is NETWORK for kind in kinds):
        form = NETWORK
    elif all(SCALARS.get(kind) is INTERFACE for kind in kinds):
        form = INTERFACE
    elif all(isinstance(kind, type) and issubclass(kind, Finding) for kind in kinds):
        form = _FINDING
    elif len(kinds) == 1:
        form = form_of(kinds[0])
    else:
        raise TypeError(f"one of {kinds} cannot be stored")
    return form if len(kinds) == len(hints) else _optional(form)


def _optional(form: Form) -> Form:
    write, read = form.write, form.read
    return Form(
        write and (lambda given: None if given is None else write(given)),
        lambda found: None if found is None else read(found),
    )


def _sequence(form: Form) -> Form:
    write, read = form.write, form.read
    return Form(
        write and (lambda given: [write(one) for one in given]),
        lambda found: tuple([read(one) for one in checked(found, list)]),
    )


def _mapping(key: Form, entry: Form) -> Form:
    """A list of pairs: keys need be no text, and their order stays."""
    write_key, write_entry = key.write or _as_it_is, entry.write or _as_it_is
    return Form(
        lambda given: [[write_key(name), write_entry(one)] for name, one in given.items()],
        lambda found: {key.read(name): entry.read(one) for name, one in checked(found, list)},
    )


def _as_it_is(given: Any) -> Plain:
    return given


def _record(kind: type) -> Form:
    """An object of its fields by name. Those at their default are left out, so a stored field's default stays for ever.

    Read: unknown fields are passed over and missing ones take their default, so that what a newer ikevd added is no
    obstacle to this one.
    """
    hints = get_type_hints(kind)
    kept = [one for one in fields(kind) if one.init]
    names = [one.name for one in kept]
    forms = [form_of(hints[name]) for name in names]
    writers = [(name, form.write, _default(one)) for name, form, one in zip(names, forms, kept, strict=True)]
    readers = [(name, form.read) for name, form in zip(names, forms, strict=True)]
    defaults = {one.name: one.default for one in kept if one.default is not MISSING}
    makers = {one.name: one.default_factory for one in kept if one.default_factory is not MISSING}

    def write(given: Any) -> Plain:
        found = {}
        for name, written, default in writers:
            value = getattr(given, name)
            if default is not MISSING and (value is default or value == default):
                continue
            found[name] = value if written is None else written(value)
        return found

    def read(found: Plain) -> Any:
        checked(found, dict)
        return kind(
            *[
                form_read(found[name]) if name in found else defaults[name] if name in defaults else makers[name]()
                for name, form_read in readers
            ]
        )

    return Form(write, read)


def _default(one: Field[Any]) -> Any:
    return one.default if one.default_factory is MISSING else one.default_factory()


# -- findings, of which each kind is a class of its own ---------------------------------------------------------------


def _write_finding(given: Finding) -> Plain:
    kind = type(given)
    write = form_of(kind).write
    return {KIND: kind.__name__} | (write(given) if write else {})


def _read_finding(found: Plain) -> Finding:
    """One that another version of ikevd has, or has with other fields, is no obstacle: only its sentence is lost."""
    name = checked(checked(found, dict)[KIND], str)
    if not name.isidentifier():
        raise Unreadable("the kind of a finding is no name")
    try:
        finding: Finding = form_of(FINDINGS[name]).read(found)
    except (KeyError, TypeError):
        return Said(f"what another version of ikevd calls {name[:MAX_NAME]}")
    return finding


_FINDING = Form(_write_finding, _read_finding)
