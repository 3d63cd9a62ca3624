"""Every kind of finding, by its name."""

from __future__ import annotations

from collections.abc import Mapping

from ikevd import (
    certificate_findings,
    contact_findings,
    errors,
    findings,
    hook_findings,
    lifetime_findings,
    liveness_findings,
    path_findings,
    refusals,
    selector_findings,
)
from ikevd.errors import Finding

_MODULES = (
    errors,
    findings,
    selector_findings,
    contact_findings,
    lifetime_findings,
    liveness_findings,
    path_findings,
    hook_findings,
    certificate_findings,
    refusals,
)

FINDINGS: Mapping[str, type[Finding]] = {
    name: kind
    for module in _MODULES
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, Finding) and kind is not Finding
}
