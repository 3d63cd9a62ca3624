"""Words of other programs for values of our keys: strongSwan's and libreswan's for `auto`, `pfs`, `forceencaps` and
`dpdaction`; levels of syslog."""

from __future__ import annotations

START_WORDS = {
    **dict.fromkeys(("auto", "start", "yes", "up"), "always"),
    **dict.fromkeys(("route", "trap", "ondemand", "on_demand", "demand"), "on-demand"),
    **dict.fromkeys(("listen", "responder", "answer", "respond"), "passive"),
    **dict.fromkeys(("add", "none", "no", "ignore"), "manual"),
}
MODE_WORDS = {"tunnel_mode": "tunnel", "transport_mode": "transport"}
PFS_WORDS = {"yes": "required", "true": "required", "on": "required", "no": "off", "false": "off", "none": "off"}
REKEY_WORDS = {"true": "yes", "on": "yes", "false": "no", "off": "no", "force": "yes", "never": "no"}
DSCP_WORDS = {"true": "yes", "on": "yes", "both": "yes", "false": "no", "off": "no", "none": "no"}
OFFLOAD_WORDS = {"yes": "crypto", "true": "crypto", "on": "crypto", "false": "no", "off": "no", "packet": "crypto"}
ENCAP_WORDS = {"yes": "force", "true": "force", "on": "force", "always": "force", "no": "auto", "false": "auto"}
DPD_MODE_WORDS = {
    **dict.fromkeys(("on-demand", "on_demand", "ondemand", "on", "yes", "true"), "idle"),
    **dict.fromkeys(("none", "no", "false", "disabled", "disable"), "off"),
}
DPD_ACTION_WORDS = {
    **dict.fromkeys(("start", "restart_by_peer", "begin"), "restart"),
    **dict.fromkeys(("trap", "route", "block"), "hold"),
    **dict.fromkeys(("none", "down", "delete", "disconnect"), "clear"),
}
LEVELS = {"warn": "warning", "err": "error", "crit": "error", "critical": "error", "notice": "info", "trace": "debug"}
