"""The JSON Schema of the configuration file, for editors: `ikevd schema > config/ikevd.schema.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ikevd.config.schema import FileSection
from ikevd.config.schema_child import DEFAULT_ESP_PROPOSALS
from ikevd.config.schema_connection import DEFAULT_IKE_PROPOSALS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NAMES = {"pattern": "^[A-Za-z0-9_.-]{1,64}$"}

Json = dict[str, Any]

WRITTEN: Mapping[tuple[str, str], object] = {
    ("ChildSection", "local"): None,
    ("ChildSection", "remote"): None,
    ("ChildSection", "esp_proposals"): list(DEFAULT_ESP_PROPOSALS),
    ("ChildSection", "lifetime"): "1h",
    ("ConnectionSection", "ike_proposals"): list(DEFAULT_IKE_PROPOSALS),
    ("ConnectionSection", "ike_lifetime"): "24h",
    ("ConnectionSection", "nat_keepalive"): "20s",
    ("RetransmitSection", "interval"): "1s",
    ("DpdSection", "delay"): "30s",
    ("DpdSection", "timeout"): "8s",
    ("ControlSection", "mode"): "0600",
    ("ControlSection", "read_only_mode"): "0660",
}
"""Defaults that the file writes otherwise than the program holds them."""


def schema() -> Json:
    """What an editor needs: sections, keys with a line on each, the words that some may hold, defaults."""
    made = FileSection.model_json_schema(mode="validation")
    sections: dict[str, Json] = made.pop("$defs")
    for name, section in {**sections, "FileSection": made}.items():
        section.pop("title")
        section["properties"] = {key: _property(name, key, value) for key, value in section["properties"].items()}
    return {"$schema": DIALECT, "title": "ikevd.yaml", **made, "$defs": sections}


def text() -> str:
    """As it stands in `config/ikevd.schema.json`."""
    return json.dumps(schema(), indent=2) + "\n"


def _property(section: str, key: str, made: Json) -> Json:
    """One key, as it is written in the file: pydantic tells how the program holds it."""
    one = {word: value for word, value in made.items() if word != "title"}
    if "default" in one:
        one["default"] = WRITTEN.get((section, key), one["default"])
    if one.get("default", {}) is None or "$ref" in one:
        del one["default"]
    if key in ("connections", "children", "bypass", "drop"):
        one["propertyNames"] = NAMES
    if one.get("type") == "array":
        items = one.pop("items")
        del one["type"]
        one["anyOf"] = [items, {"type": "array", "items": items, "minItems": 0 if key == "addresses" else 1}]
    return one
