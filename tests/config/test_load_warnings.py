"""What can be used, but somebody should look at."""

from pathlib import Path

import pytest

from ikevd.config.load import load
from ikevd.config.surroundings import Surroundings
from tests.config.files import MARKED, MINIMAL, child, connection, read


def test_warnings(tmp_path: Path) -> None:
    text = connection(psk="hunter2", ike_proposals="[aes256-sha256-modp2048, aes128-sha1-modp1024]", ike_lifetime="8d")
    loaded = read(tmp_path, text)
    file = f"{tmp_path}/ikevd.yaml"
    psk, lifetime, suite = sorted(loaded.warnings, key=lambda w: ("weak" in w, "7 days" in w))
    assert psk.startswith(f"{file}:4:10: connections.berlin.psk: is shorter than 20 characters")
    assert lifetime == f"{file}:7:19: connections.berlin.ike_lifetime: is more than 7 days (691200 s); " + (
        "keys should not live that long"
    )
    assert suite == (
        f"{file}:6:45: connections.berlin.ike_proposals[1]: 'aes128-sha1-modp1024' is weak: sha1 is deprecated; "
        "modp1024 is too short against a well-funded attacker (RFC 8247)"
    )
    assert "hunter2" not in "".join(loaded.warnings) + repr(loaded)
    assert "there are no connections" in read(tmp_path, "connections: {}").warnings[0]


def test_only_what_a_connection_names_is_warned_of(tmp_path: Path) -> None:
    """The defaults end with what an old gateway has."""
    assert read(tmp_path, connection()).warnings == ()
    named = read(tmp_path, connection(ike_proposals="aes256-sha1-modp1536")).warnings
    assert "'aes256-sha1-modp1536' is weak: sha1 is deprecated; modp1536 is too short" in named[0]


def warned(tmp_path: Path, text: str) -> str:
    """The only warning, without the path of the folder."""
    (warning,) = read(tmp_path, text).warnings
    return warning.replace(f"{tmp_path}/", "")


@pytest.mark.parametrize(
    "text", ["-1", "\u00e9\u00e9", "2026-01-01", "12345", "a_b.example", "a..example", "@a b", f"{'a' * 64}.de"]
)
def test_an_identity_that_is_no_host_name_is_doubted(tmp_path: Path, text: str) -> None:
    for key in ("local_id", "remote_id"):
        found = warned(tmp_path, connection(**{key: f'"{text}"'}))
        assert f"connections.berlin.{key}: is an ID_FQDN, but no host name: " in found


@pytest.mark.parametrize(
    "text", ["gw.example.net", "gw", "3com.com", "gw.example.", "@1.a", "keyid:12345", "a@1", "CN=1"]
)
def test_other_identities_are_not_doubted(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, connection(local_id=f'"{text}"')).warnings == ()


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ("'@any'", "any"),
        ("Any", "Any"),
        ("'%any'", "%any"),
        ("'*'", "*"),
        ("0.0.0.0", "0.0.0.0"),
        ("'::'", "::"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("keyid:any", "keyid:any"),
    ],
)
def test_an_identity_that_means_everybody_elsewhere_is_doubted(tmp_path: Path, text: str, identity: str) -> None:
    ours = "what we call ourselves, or no such line: then our address"
    theirs = "what the peer calls itself, any where it may be anything, or no such line: then the address that it "
    theirs += "comes from"
    for key, wanted in (("local_id", ours), ("remote_id", theirs)):
        said = f"is {identity!r} and nothing else; wanted {wanted}"
        assert warned(tmp_path, connection(**{key: text})).partition(f"connections.berlin.{key}: ")[2] == said


def test_aggressive_mode_is_warned_of(tmp_path: Path) -> None:
    found = warned(tmp_path, connection(aggressive="true"))
    assert found.startswith("ikevd.yaml:6:17: connections.berlin.aggressive: Aggressive Mode sends both identities")
    assert "CVE-2002-1623" in found
    assert "ikevd genpsk" in found


def test_aggressive_mode_has_one_group_as_initiator(tmp_path: Path) -> None:
    suites = "[aes256-sha256-modp2048, aes256-sha256-curve25519, aes128-sha256-modp2048]"
    _, groups = read(tmp_path, connection(aggressive="true", ike_proposals=suites)).warnings
    assert groups.endswith("only the group of aes256-sha256-modp2048 is offered, without aes256-sha256-curve25519")
    responder_only = connection(aggressive="true", ike_proposals=suites, remote="any")
    assert "ike_proposals" not in warned(tmp_path, responder_only)


def test_quick_mode_has_one_group_as_initiator_and_any_as_responder(tmp_path: Path) -> None:
    suites = "[aes256-sha256-dh19, aes128-sha256-ecp256, aes256-sha256-modp2048]"
    lan = f"{{lan: {{local: 10.1.0.0/24, remote: 10.2.0.0/24, esp_proposals: {suites}}}}}"
    found = warned(tmp_path, connection(children=lan))
    assert found == (
        "ikevd.yaml:5:78: connections.berlin.children.lan.esp_proposals: name several groups, but message 1 of Quick "
        "Mode holds one public value: as initiator only the group of aes256-sha256-ecp256 is offered, without "
        "aes256-sha256-modp2048"
    )
    for remote in ("any", "198.51.100.0/24"):
        loaded = read(tmp_path, connection(children=lan, remote=remote))
        assert loaded.warnings == ()
        assert len(loaded.config.connections[0].children[0].suites) == 3


def test_unique_keep_is_doubted_where_the_peer_has_one_address(tmp_path: Path) -> None:
    assert "replace lets it come back at once" in warned(tmp_path, connection(unique="keep"))
    assert read(tmp_path, connection(unique="keep", remote="any")).warnings == ()


def test_a_setting_without_effect_is_told(tmp_path: Path) -> None:
    assert "has no effect without aggressive: true" in warned(tmp_path, connection(aggressive_third="clear"))
    children = "{lan: {local: 10.1.0.0/24, remote: 10.2.0.0/24, esp_proposals: aes256-sha1}}"
    found = read(tmp_path, connection(sha256_96="true", children=children)).warnings
    assert any("no esp_proposals name sha256" in warning for warning in found)


def test_what_weakens_is_told(tmp_path: Path) -> None:
    assert "a peer that cuts to 128 drops every packet" in warned(tmp_path, connection(sha256_96="true"))
    found = warned(tmp_path, connection() + "control: {export_keys: true}\n")
    assert "control.export_keys: is on: whoever may use the control socket can read the keys" in found


def test_the_owner_of_a_read_only_socket_that_there_is_not_is_told(tmp_path: Path) -> None:
    found = warned(tmp_path, connection() + "control: {read_only_mode: 0600}\n")
    assert "control.read_only_mode: has no effect: control.read_only names no socket" in found


@pytest.mark.parametrize("psk", [f"{MARKED} # behind", f"{MARKED}\t#behind"])
def test_a_key_that_a_comment_cuts_is_told(tmp_path: Path, psk: str) -> None:
    found = warned(tmp_path, connection(psk=psk))
    assert found.startswith("ikevd.yaml:4:10: connections.berlin.psk: ends before a comment: in YAML ' #' begins one")
    assert MARKED not in found
    assert "behind" not in found


@pytest.mark.parametrize("psk", [f"'{MARKED} # within'", f'"{MARKED}" # beside', f"{MARKED}#within"])
def test_a_key_that_is_whole_is_not_warned_of(tmp_path: Path, psk: str) -> None:
    assert read(tmp_path, connection(psk=psk)).warnings == ()


def test_a_comment_beside_the_name_of_a_file_cuts_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.psk").write_text(MARKED)
    (tmp_path / "a.psk").chmod(0o600)
    assert read(tmp_path, connection(psk="{file: a.psk} # there")).warnings == ()


def test_the_form_of_each_key_is_told_apart_from_warnings(tmp_path: Path) -> None:
    loaded = read(tmp_path, MINIMAL)
    (form,) = loaded.secrets
    assert form.startswith("connections.berlin.psk: 23 characters (lower case letters, upper case letters, digits, ")
    assert MARKED not in form
    assert "23 characters" not in repr(loaded)


# -- this machine


def test_swap_that_is_not_encrypted_is_doubted(tmp_path: Path) -> None:
    path = tmp_path / "ikevd.yaml"
    path.write_text("connections: {}\nruntime_directory: /run/here\n")
    path.chmod(0o600)
    told = load(path, {}, known=Surroundings(plain_swaps=("/dev/sda2", "/swapfile"))).warnings
    assert told[-1] == (
        f"{path}:2:20: runtime_directory: what is in memory, the keys of ISAKMP SAs in /run/here too, may be swapped "
        "to /dev/sda2, /swapfile, which is not encrypted; wanted encrypted swap, or none"
    )
    assert "swapped" not in "".join(load(path, {}, known=Surroundings()).warnings)


@pytest.mark.parametrize(
    ("dpd", "remote", "told"),
    [
        ("{mode: off, delay: 10s}", "198.51.100.1", "dpd.delay: has no effect with mode: off"),
        ("{mode: off, action: clear}", "198.51.100.1", "dpd.action: has no effect with mode: off"),
        ("{action: restart}", "any", "dpd.action: has no effect: only the peer can call, so its children wait for it"),
    ],
)
def test_words_of_dead_peer_detection_that_have_no_effect(tmp_path: Path, dpd: str, remote: str, told: str) -> None:
    assert told in warned(tmp_path, connection(dpd=dpd, remote=remote))


def test_a_volume_that_is_used_up_sooner_than_a_pair_is_replaced_is_doubted(tmp_path: Path) -> None:
    told = (
        "is used up in 0.021 s at 1 Gb/s: no IPsec SA is replaced before it is 2 s old (3 s by the other end), so from "
        "about 7 Mb/s on"
    )
    assert told in warned(tmp_path, child(lifetime_kilobytes="2560"))
    assert read(tmp_path, child(lifetime_kilobytes="1250000")).warnings == ()


def test_a_child_that_is_rekeyed_only_if_it_is_used_and_always_up_is_doubted(tmp_path: Path) -> None:
    text = "is if_used, but with start: always a child that was not used begins anew right after its end"
    assert text in warned(tmp_path, child(rekey="if_used"))
    assert read(tmp_path, child(rekey="if_used", start="on-demand")).warnings == ()
