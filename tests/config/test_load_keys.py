"""Keys that the file should not have: where they belong, and what was meant."""

from pathlib import Path

import pytest

from ikevd.config.schema import FileSection, section_at
from ikevd.config.schema_child import ChildSection
from ikevd.config.schema_connection import ConnectionSection
from ikevd.config.section import Section
from ikevd.config.unknown_keys import ALSO, FOREIGN, PLACES, WITHOUT, sentence
from tests.config.files import CHILD, MARKED, MINIMAL, connection, problems

CONNECTION, LAN = ("connections", "berlin"), ("connections", "berlin", "children", "lan")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ((*LAN, "psk"), "belongs to the connection, not to the child"),
        ((*CONNECTION, "esp_proposals"), "belongs to the child, not to the connection"),
        ((*CONNECTION, "start"), "belongs to the child, not to the connection"),
        (
            (*CONNECTION, "lifetime"),
            "belongs to the child, not to the connection; that of the ISAKMP SA is 'ike_lifetime'",
        ),
        (
            (*LAN, "ike_lifetime"),
            "belongs to the connection, not to the child; that of the IPsec SA is 'lifetime'",
        ),
        ((*CONNECTION, "port"), "belongs to `listen`, not to the connection"),
        ((*CONNECTION, "sends"), "belongs to `retransmit` of the connection, not to the connection"),
        (("remote",), "belongs to the connection, not to the top of the file"),
        (("children",), "belongs to the connection, not to the top of the file"),
        (("secrets",), "belongs to `limits`, not to the top of the file; a key is `psk` of its connection"),
        (("control", "half_open"), "belongs to `limits`, not to `control`"),
    ],
)
def test_a_key_in_the_wrong_section_is_told_its_section(path: tuple[str, ...], told: str) -> None:
    assert sentence(path) == told


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ((*CONNECTION, "pre-shared-key"), "psk"),
        ((*CONNECTION, "Pre Shared Key"), "psk"),
        ((*CONNECTION, "secret"), "psk"),
        ((*CONNECTION, "left"), "local"),
        ((*CONNECTION, "right"), "remote"),
        ((*CONNECTION, "peer"), "remote"),
        ((*CONNECTION, "leftid"), "local_id"),
        ((*CONNECTION, "ike"), "ike_proposals"),
        ((*CONNECTION, "proposals"), "ike_proposals"),
        ((*CONNECTION, "ikelifetime"), "ike_lifetime"),
        ((*CONNECTION, "rekey_time"), "ike_lifetime"),
        ((*CONNECTION, "aggrmode"), "aggressive"),
        ((*CONNECTION, "forceencaps"), "encap"),
        ((*CONNECTION, "remote-id"), "remote_id"),
        ((*CONNECTION, "failureshunt"), "fail_open"),
        ((*LAN, "leftsubnet"), "local"),
        ((*LAN, "remote_ts"), "remote"),
        ((*LAN, "transform-set"), "esp_proposals"),
        ((*LAN, "esp"), "esp_proposals"),
        ((*LAN, "proposals"), "esp_proposals"),
        ((*LAN, "rekey_time"), "lifetime"),
        ((*LAN, "keylife"), "lifetime"),
        ((*LAN, "auto"), "start"),
        (("conn",), "connections"),
        (("bypass-lan",), "bypass_connected"),
        (("passthrough",), "bypass"),
    ],
)
def test_a_word_of_others_is_told_ours(path: tuple[str, ...], key: str) -> None:
    assert sentence(path) == f"is not a known key; did you mean {key!r}?"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (
            (*CONNECTION, "leftsubnet"),
            "is not a known key; did you mean 'local', which belongs to the child, not to the connection?",
        ),
        ((*CONNECTION, "esp"), "did you mean 'esp_proposals', which belongs to the child, not to the connection?"),
        ((*CONNECTION, "auto"), "did you mean 'start', which belongs to the child, not to the connection?"),
        ((*LAN, "ikelifetime"), "did you mean 'ike_lifetime', which belongs to the connection, not to the child?"),
        ((*LAN, "remote_idd"), "did you mean 'remote'?"),
        ((*LAN, "nat_keepaliv"), "did you mean 'nat_keepalive', which belongs to the connection, not to the child?"),
        (
            (*LAN, "pfs-group"),
            "is not a known key; the group stands at the end of esp_proposals in the child, for example "
            "aes256-sha256-modp2048",
        ),
        (
            (*CONNECTION, "authby"),
            "is not a known key; the pre-shared key is the only way here to prove who one is, so leave it out",
        ),
        ((*CONNECTION, "keyexchange"), "is not a known key; only IKEv1 is spoken, so leave it out"),
        (
            (*LAN, "match address"),
            "the networks are `local` and `remote` of a child, a pair for each line of an access",
        ),
        ((*CONNECTION, "retransmit", "zzz"), "is not a known key; wanted interval, factor or sends"),
    ],
)
def test_other_unknown_keys_are_told_what_to_do(path: tuple[str, ...], told: str) -> None:
    assert told in sentence(path)


def test_the_tables_name_keys_that_exist_and_no_key_of_ours_is_foreign_where_it_belongs() -> None:
    for (section, key), words in FOREIGN.items():
        assert key in section.model_fields
        assert not set(words.split()) & set(section.model_fields)
    every_key = {key for section in PLACES for key in section.model_fields}
    assert not set(WITHOUT) & {*ConnectionSection.model_fields, *ChildSection.model_fields}
    assert all(key in every_key for _, key in ALSO)


def sections(section: type[Section], path: tuple[str, ...] = ()) -> list[type[Section]]:
    deeper = [(*path, key) for key in section.model_fields] + [(*path, key, "x") for key in section.model_fields]
    found = [(deep, section_at(deep)) for deep in deeper]
    return [section, *(each for deep, below in found if below for each in sections(below, deep))]


def test_every_section_of_the_file_has_a_name_to_be_told() -> None:
    assert set(sections(FileSection)) == set(PLACES)


def test_a_misnamed_key_is_one_problem_at_its_place(tmp_path: Path) -> None:
    text = MINIMAL.replace("psk:", "pre-shared-key:")
    assert problems(tmp_path, text) == [
        "ikevd.yaml:4:5: connections.berlin.pre-shared-key: is not a known key; did you mean 'psk'?"
    ]


def test_what_stands_at_a_misnamed_key_is_not_shown(tmp_path: Path) -> None:
    for key in ("secret", "pre-shared-key", "lan"):
        (found,) = problems(tmp_path, connection(**{key: f"{{{MARKED}: {MARKED}}}"}))  # asserts it
        assert "is not a known key" in found


def test_a_key_of_the_connection_in_a_child_is_named_with_its_place(tmp_path: Path) -> None:
    text = MINIMAL.replace(f"    psk: {MARKED}\n", "").replace(CHILD, CHILD.replace("{", f"{{psk: {MARKED}, "))
    assert problems(tmp_path, text) == [
        "ikevd.yaml:2:3: connections.berlin: has no psk; wanted the pre-shared key: {file: NAME}, {env: NAME}, "
        "{credential: NAME} or the key itself",
        "ikevd.yaml:5:13: connections.berlin.children.lan.psk: belongs to the connection, not to the child",
    ]
