"""Which holder keeps the IKE sockets: systemd's store where a service manager runs us, else a process of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ikevd.service.descriptor_store import DescriptorStore
from ikevd.service.former_holder import find_holder
from ikevd.service.handed_down import handed_down
from ikevd.service.holder import HolderProcess
from ikevd.service.holding import Held, Holding, NoHolding
from ikevd.service.notify import Notifier


def choose_holding(
    notifier: Notifier,
    environ: Mapping[str, str],
    folder: Path,
    on_trouble: Callable[[str], None],
    *,
    process: bool,
) -> Holding:
    """With all that earlier holders left. Call it once, with the lock of the runtime folder.

    `process`: may it be a process of ours? One that is not needed any more ends.
    """
    handed, others = handed_down(environ), list[Held]()
    former = find_holder(folder, on_trouble)
    wanted = process and not notifier.heard
    if former is not None and not (wanted and former.understands):
        former.end()
        others, former = list(former.held), None
    if notifier.heard:
        return DescriptorStore(notifier, handed, others, outlives_stop="FDSTORE" in environ)
    if wanted:
        return HolderProcess(folder, former, on_trouble, [*handed, *others])
    return NoHolding([*handed, *others])
