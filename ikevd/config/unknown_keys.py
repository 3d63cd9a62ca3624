"""A key that the file should not have: what was meant by it, in the words of this program and of others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ikevd.config.schema import BypassSection, DropSection, FileSection, section_at
from ikevd.config.schema_child import ChildSection
from ikevd.config.schema_connection import ConnectionSection, DpdSection, RetransmitSection
from ikevd.config.schema_interface import InterfaceSection
from ikevd.config.schema_route import RouteSection
from ikevd.config.schema_settings import ControlSection, LimitsSection, ListenSection, LogSection
from ikevd.config.section import Section
from ikevd.config.typography import QUOTES
from ikevd.config.yaml_locations import YamlPath
from ikevd.wording import closest, either

PLACES: Mapping[type[Section], str] = {
    ConnectionSection: "the connection",
    ChildSection: "the child",
    FileSection: "the top of the file",
    BypassSection: "an entry of `bypass`",
    DropSection: "an entry of `drop`",
    RetransmitSection: "`retransmit` of the connection",
    DpdSection: "`dpd` of the connection",
    InterfaceSection: "`interface` of the connection",
    RouteSection: "`route` of the connection",
    ListenSection: "`listen`",
    ControlSection: "`control`",
    LimitsSection: "`limits`",
    LogSection: "`log`",
}
"""What each section is called; a key that several have is looked for in this order."""

FOREIGN: Mapping[tuple[type[Section], str], str] = {
    (ConnectionSection, "psk"): "pre_shared_key presharedkey preshared_key pre_shared_secret shared_secret secret key "
    "password keyring isakmp_key ike_psk path_pre_shared_key",
    (ConnectionSection, "local"): "left leftaddr local_addr local_addrs local_address source_address tunnel_source "
    "my_address",
    (ConnectionSection, "remote"): "right rightaddr remote_addr remote_addrs remote_address peer set_peer peer_address "
    "gateway remote_gateway remote_gw tunnel_destination host server",
    (ConnectionSection, "local_id"): "leftid id self_identity my_identifier myid local_identity identity_local",
    (ConnectionSection, "remote_id"): "rightid peers_identifier peer_id peerid remote_identity match_identity",
    (ConnectionSection, "ike_proposals"): "ike proposal proposals isakmp_policy crypto_isakmp_policy ike_policy phase1 "
    "phase1alg ike_proposal",
    (ConnectionSection, "ike_lifetime"): "ikelifetime ike_life_time rekey_time reauth_time isakmp_lifetime",
    (ConnectionSection, "unique"): "uniqueids unique_ids uniqueness initial_contact",
    (ConnectionSection, "aggressive"): "aggrmode aggressive_mode exchange_mode",
    (ConnectionSection, "encap"): "forceencaps encapsulation force_encaps udp_encap",
    (ConnectionSection, "nat_method"): "nat_traversal nat_t natt nat_ikev1_method",
    (ConnectionSection, "nat_keepalive"): "keep_alive keepalive natt_keepalive nat_keepalives",
    (ConnectionSection, "retransmit"): "keyingtries retransmit_tries retransmit_timeout retransmit_base retransmits",
    (ConnectionSection, "dpd"): "dead_peer_detection liveness isakmp_keepalive",
    (ConnectionSection, "interface"): "vti_interface ipsec_interface tunnel_interface bind_interface st_interface vti",
    (InterfaceSection, "name"): "ifname device dev interface",
    (InterfaceSection, "if_id"): "if_id_in if_id_out mark mark_in mark_out key ifid id",
    (InterfaceSection, "addresses"): "address ip_address leftvti ip",
    (InterfaceSection, "routes"): "route networks static_routes",
    (ConnectionSection, "mss"): "tcp_mss adjust_mss tcp_adjust_mss mss_clamp clamp_mss tcpmss",
    (ConnectionSection, "route"): "reverse_route rri install_routes routing_table install_route",
    (RouteSection, "source"): "sourceip leftsourceip preferred_source address src addresses",
    (RouteSection, "metric"): "distance priority",
    (DpdSection, "delay"): "dpddelay dpd_delay threshold",
    (DpdSection, "timeout"): "dpdtimeout dpd_timeout dpd_retry dpd_maxfail",
    (DpdSection, "action"): "dpdaction dpd_action",
    (ConnectionSection, "lifetime_check"): "proposal_check",
    (ConnectionSection, "sha256_96"): "sha2_truncbug sha2_256_96",
    (ConnectionSection, "fail_open"): "failureshunt negotiationshunt failure_shunt negotiation_shunt",
    (ConnectionSection, "updown"): "leftupdown rightupdown phase1_up phase1_down script hook hooks",
    (ConnectionSection, "children"): "child tunnels networks subnets policies sainfo",
    (ChildSection, "local"): "leftsubnet leftsubnets local_ts local_net local_nets local_subnet local_subnets "
    "local_network local_networks source",
    (ChildSection, "remote"): "rightsubnet rightsubnets remote_ts remote_net remote_nets remote_subnet remote_subnets "
    "remote_network remote_networks destination",
    (ChildSection, "esp_proposals"): "esp phase2 phase2alg transform_set ipsec_transform_set esp_proposal proposal "
    "proposals set_transform_set ipsec_proposal",
    (ChildSection, "ah_proposals"): "ah phase2_ah ah_proposal",
    (ChildSection, "ipcomp"): "compress compression compression_algorithm ip_comp",
    (ChildSection, "mode"): "type set_mode ipsec_mode",
    (ChildSection, "pfs"): "set_pfs perfect_forward_secrecy",
    (ChildSection, "lifetime"): "keylife salifetime lifetime_seconds life rekey_time life_time sa_lifetime "
    "security_association_lifetime esp_lifetime ipsec_lifetime",
    (ChildSection, "lifetime_kilobytes"): "lifebytes life_bytes lifetime_kb lifekilobytes rekey_bytes",
    (
        ChildSection,
        "inactivity",
    ): "idle idle_timeout idle_time inactivity_timeout vpn_idle_timeout",
    (ChildSection, "copy_df"): "nopmtudisc dont_fragment df_bit",
    (ChildSection, "copy_dscp"): "decap_dscp encap_dscp dscp tos",
    (ChildSection, "tfc_padding"): "tfc padding",
    (ChildSection, "hw_offload"): "nic_offload offload",
    (ChildSection, "if_id"): "if_id_in if_id_out ipsec_interface",
    (ChildSection, "start"): "auto start_action initiate startup",
    (FileSection, "connections"): "conn conns connection peers tunnels",
    (FileSection, "bypass"): "passthrough passthroughs shunt shunts exclude excluded bypasses",
    (FileSection, "drop"): "block blocks deny discard reject drops",
    (FileSection, "bypass_connected"): "bypass_lan bypass_local",
    (ListenSection, "addresses"): "interface interfaces listen_address listen_addresses",
    (LogSection, "level"): "charondebug plutodebug loglevel log_level",
}
"""Words of strongSwan, libreswan, racoon and Cisco for our keys: in small letters, with `_` for `-` and blank."""

WITHOUT: Mapping[str, str] = {
    **dict.fromkeys(
        ("authby", "auth", "leftauth", "rightauth", "authentication", "authentication_method", "auth_method"),
        "the pre-shared key is the only way here to prove who one is, so leave it out",
    ),
    **dict.fromkeys(
        ("keyexchange", "ikev2", "version", "ike_version", "keyingmode"),
        "only IKEv1 is spoken, so leave it out",
    ),
    **dict.fromkeys(
        ("encryption", "hash", "group", "dh_group", "encryption_algorithm", "hash_algorithm", "integrity", "prf"),
        "cipher, hash and group are one word of ike_proposals or esp_proposals, for example aes256-sha256-modp2048",
    ),
    **dict.fromkeys(
        ("pfs_group", "pfsgroup"),
        "the group stands at the end of esp_proposals in the child, for example aes256-sha256-modp2048",
    ),
    **dict.fromkeys(
        ("match_address", "access_list", "acl", "interesting_traffic"),
        "the networks are `local` and `remote` of a child, a pair for each line of an access list",
    ),
    **dict.fromkeys(
        ("xauth", "xauth_user", "modecfg", "leftcert", "rightcert", "certs", "leftsourceip", "rightsourceip", "vips"),
        "XAuth, Mode Config and certificates are not supported by this version",
    ),
    **dict.fromkeys(("reauth", "leftfirewall", "fragmentation", "mobike"), "leave it out"),
}
"""Words of others that have no key of ours, and what to do about them."""

ALSO: Mapping[tuple[type[Section], str], str] = {
    (ConnectionSection, "lifetime"): "; that of the ISAKMP SA is 'ike_lifetime'",
    (FileSection, "secrets"): "; a key is `psk` of its connection",
    (ChildSection, "ike_lifetime"): "; that of the IPsec SA is 'lifetime'",
}
"""More to say of a key in a section that is not its own."""

CLOSE = 0.75
"""How near a word must be to a key of another section."""


def sentence(path: YamlPath) -> str:
    """What is wrong with the key at the end of `path`; no value of the file is in it."""
    section, word = section_at(path[:-1]), str(path[-1])
    if section is None:
        return "is not a known key"
    reason = WITHOUT.get(_normal(word))
    if reason and section in (ConnectionSection, ChildSection):
        return f"is not a known key; {reason}"
    own = any(home is section for home, _ in _foreign(_normal(word)))
    if not own and (homes := [home for home in PLACES if word in home.model_fields]):
        return f"belongs to {PLACES[homes[0]]}, not to {PLACES[section]}{ALSO.get((section, word), '')}"
    found = meant(path)
    if found is None:
        return f"is not a known key; wanted {either(section.model_fields)}"
    home, key = found
    elsewhere = "" if home is section else f", which belongs to {PLACES[home]}, not to {PLACES[section]}"
    return f"is not a known key; did you mean {key!r}{elsewhere}?"


def meant(path: YamlPath) -> tuple[type[Section], str] | None:
    """The section and key that an unknown key probably stands for."""
    section, word = section_at(path[:-1]), str(path[-1])
    if section is None or word in section.model_fields:
        return None
    foreign = list(_foreign(_normal(word)))
    own = [(home, key) for home, key in foreign if home is section]
    if own or foreign:
        return (own or foreign)[0]
    if key := closest(_normal(word), tuple(section.model_fields)):
        return section, key
    for home in PLACES:
        if key := closest(_normal(word), tuple(home.model_fields), CLOSE):
            return home, key
    return None


def _foreign(word: str) -> Iterator[tuple[type[Section], str]]:
    return (place for place, words in FOREIGN.items() if word in words.split())


def _normal(word: str) -> str:
    return re.sub(r"[-_\s]+", "_", word.lower().strip("".join(QUOTES))).strip("_")
