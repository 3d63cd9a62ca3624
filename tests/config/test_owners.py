"""Whose a file is: root and ourselves are trusted, and nobody else who could change it or replace it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ikevd import owners
from ikevd.config.load import load
from ikevd.errors import ConfigError
from tests.config.files import MARKED, MINIMAL, connection, problems, read

STRANGER, DAEMON, SECRETS_GROUP = 4711, 4712, 4713
"""Ids that have no name here."""

US = owners.Account.current()

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")


def private(path: Path, text: str = f"{MARKED}\n", mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_that_only_its_owner_reads_keeps_a_secret(tmp_path: Path, mode: int) -> None:
    path = private(tmp_path / "a.psk", mode=mode)
    assert owners.exposure(path, path.stat(), US) is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610, 0o644])
def test_a_file_that_others_read_keeps_none(tmp_path: Path, mode: int) -> None:
    path = private(tmp_path / "a.psk", mode=mode)
    told = f"{path} is open to its group or to others (mode {mode:04o}); run: chmod 600 {path}"
    assert owners.exposure(path, path.stat(), US) == told


# -- another owner ------------------------------------------------------------------------------------------------


@only_root
def test_a_configuration_of_another_user_is_refused(tmp_path: Path) -> None:
    path = private(tmp_path / "ikevd.yaml", MINIMAL)
    os.chown(path, STRANGER, STRANGER)
    assert owners.intruder(path, US) == f"{path} belongs to user 4711, who could change it; run: chown root {path}"
    (found,) = problems(tmp_path, MINIMAL)
    assert found == "ikevd.yaml:1:1: ikevd.yaml belongs to user 4711, who could change it; run: chown root ikevd.yaml"


@only_root
def test_a_key_file_of_another_user_is_refused(tmp_path: Path) -> None:
    os.chown(private(tmp_path / "a.psk"), STRANGER, STRANGER)
    (found,) = problems(tmp_path, connection(psk="{file: a.psk}"))
    said = "a.psk belongs to user 4711, who could change it; run: chown root a.psk"
    assert found == f"ikevd.yaml:4:10: connections.berlin.psk: {said}"


@only_root
def test_a_folder_of_another_user_on_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs" / "below").mkdir(parents=True)
    private(tmp_path / "theirs" / "below" / "a.psk")
    os.chown(tmp_path / "theirs", STRANGER, STRANGER)
    (found,) = problems(tmp_path, connection(psk="{file: theirs/below/a.psk}"))
    assert "connections.berlin.psk: theirs belongs to user 4711, who could change it; run: chown root theirs" in found


@only_root
def test_a_link_of_another_user_is_refused_whatever_it_points_at(tmp_path: Path) -> None:
    private(tmp_path / "a.psk")
    (tmp_path / "link").symlink_to("a.psk")
    read(tmp_path, connection(psk="{file: link}"))
    os.chown(tmp_path / "link", STRANGER, STRANGER, follow_symlinks=False)
    (found,) = problems(tmp_path, connection(psk="{file: link}"))
    assert "connections.berlin.psk: link belongs to user 4711, who could change it; run: chown -h root link" in found


# -- folders and files that others may write ----------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "who"), [(0o777, "everybody"), (0o757, "everybody")])
def test_a_folder_that_others_may_write_is_refused(tmp_path: Path, mode: int, who: str) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(mode)
    private(tmp_path / "open" / "a.psk")
    (found,) = problems(tmp_path, connection(psk="{file: open/a.psk}"))
    assert found == (
        f"ikevd.yaml:4:10: connections.berlin.psk: open is open to {who}, who could put another file there "
        f"(mode {mode:04o}); run: chmod go-w open"
    )


@only_root
def test_a_folder_that_a_group_may_write_is_refused_unless_it_is_the_group_of_root(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o775)
    path = private(folder / "a.psk")
    assert owners.intruder(path, US) is None
    os.chown(folder, 0, SECRETS_GROUP)
    assert owners.intruder(path, US) == (
        f"{folder} is open to the group 4713, who could put another file there (mode 0775); run: chmod go-w {folder}"
    )


def test_a_configuration_that_others_may_write_is_refused(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, connection(psk="{env: PSK}"), 0o646, PSK=MARKED)
    assert found == (
        "ikevd.yaml:1:1: ikevd.yaml is open to everybody, who could change it (mode 0646); run: chmod go-w ikevd.yaml"
    )


def test_every_folder_of_every_link_on_the_way_counts(tmp_path: Path) -> None:
    for name in ("one", "open", "far"):
        (tmp_path / name).mkdir()
    private(tmp_path / "far" / "a.psk")
    (tmp_path / "open" / "hop").symlink_to("../far")
    (tmp_path / "one" / "link").symlink_to(tmp_path / "open" / "hop" / "a.psk")
    path = tmp_path / "one" / ".." / "one" / "link"
    assert owners.intruder(path, US) is None
    (tmp_path / "open").chmod(0o777)
    assert "open is open to everybody" in str(owners.intruder(path, US))


def test_in_a_sticky_folder_only_who_owns_an_entry_can_replace_it(tmp_path: Path) -> None:
    sticky = tmp_path / "sticky"
    sticky.mkdir()
    sticky.chmod(0o1777)
    path = private(sticky / "a.psk")
    assert owners.intruder(path, US) is None
    assert owners.sticky_folder(path) in (Path("/tmp"), sticky)


def test_links_that_go_round_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert owners.intruder(tmp_path / "a", US) is None
    (found,) = problems(tmp_path, connection(psk="{file: a}"))
    assert "a cannot be opened: Too many levels of symbolic links" in found


# -- a daemon that is not root, and secrets of containers ---------------------------------------------------------


@pytest.fixture
def volume() -> Iterator[Path]:
    """A folder in which a process of any user can look around, as a volume of Kubernetes is: sticky, behind links."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "secrets"
        Path(name).chmod(0o755)
        data = folder / "..2026_11_26"
        data.mkdir(parents=True)
        private(data / "psk", mode=0o440)
        private(data / "ikevd.yaml", connection(psk="{file: psk}"), mode=0o444)
        os.chown(data / "psk", 0, SECRETS_GROUP)
        os.chown(folder, 0, SECRETS_GROUP)
        folder.chmod(0o3777)
        (folder / "..data").symlink_to("..2026_11_26")
        for file in ("psk", "ikevd.yaml"):
            (folder / file).symlink_to(f"..data/{file}")
        yield folder


@contextmanager
def running_as(uid: int, *groups: int) -> Iterator[None]:
    """This process, with the effective ids of a user that is not root."""
    before = os.getgroups()
    os.setgroups(groups)
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


def problems_of_daemon(volume: Path, *groups: int) -> list[str]:
    """What a daemon that is not root, and is in these groups, has to say about the configuration in the volume."""
    with running_as(DAEMON, *groups):
        try:
            load(volume / "ikevd.yaml", {})
        except ConfigError as error:
            return [problem.replace(f"{volume}/", "") for problem in error.problems]
    return []


@only_root
def test_a_secret_of_kubernetes_or_docker_works_for_a_daemon_that_is_not_root(volume: Path) -> None:
    assert problems_of_daemon(volume, SECRETS_GROUP) == []


WANTED = (
    "ikevd runs as user 4712, so wanted the owner root, mode 0440 and one of its groups (Kubernetes: fsGroup and "
    "defaultMode; Docker: gid and mode), or it as owner and mode 0400"
)


@only_root
def test_a_secret_that_a_daemon_may_not_read_is_told_what_would_work(volume: Path) -> None:
    assert problems_of_daemon(volume) == [
        "ikevd.yaml:4:10: connections.berlin.psk: psk cannot be opened: it belongs to root and the group 4713 "
        f"(mode 0440); {WANTED}"
    ]


@only_root
def test_a_secret_that_everybody_may_read_is_told_what_would_work(volume: Path) -> None:
    (volume / "psk").chmod(0o444)
    assert problems_of_daemon(volume, SECRETS_GROUP) == [
        f"ikevd.yaml:4:10: connections.berlin.psk: psk is open to its group or to others (mode 0444); {WANTED}"
    ]


@only_root
def test_a_group_that_the_daemon_is_not_in_may_not_read_the_secret(volume: Path) -> None:
    (volume / "psk").chmod(0o444)
    (found,) = problems_of_daemon(volume)
    assert "psk is open to its group or to others (mode 0444)" in found


@only_root
def test_a_secret_of_another_user_is_none_whatever_its_group(volume: Path) -> None:
    os.chown(volume / "psk", STRANGER, SECRETS_GROUP)
    (found,) = problems_of_daemon(volume, SECRETS_GROUP)
    assert "psk belongs to user 4711, who could change it; run: chown root ..2026_11_26/psk" in found


# -- updown programs of a daemon that is not root ---------------------------------------------------------------------


@pytest.fixture
def program() -> Iterator[Path]:
    """`hooks/updown`, of root, in a folder in which a process of any user can look around."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        (Path(name) / "hooks").mkdir(mode=0o755)
        yield private(Path(name) / "hooks" / "updown", "#!/bin/sh\n", 0o755)


def told_to_both(program: Path, *groups: int) -> str | None:
    """What root is told that looks at it for the daemon, which is what the daemon itself is told."""
    root = owners.program_flaw(program, owners.Account(DAEMON, DAEMON, frozenset((DAEMON, *groups))))
    with running_as(DAEMON, *groups):
        assert owners.program_flaw(program, owners.Account.current()) == root
    return root


@only_root
def test_a_program_that_everybody_may_run_is_for_the_daemon(program: Path) -> None:
    assert told_to_both(program) is None


@only_root
@pytest.mark.parametrize("mode", [0o700, 0o744, 0o750])
def test_a_program_that_root_alone_may_run_is_not_for_the_daemon(program: Path, mode: int) -> None:
    program.chmod(mode)
    assert told_to_both(program) == (
        f"{program} is not for user 4712, whom ikevd runs as, to run (mode {mode:04o}); run: chmod 755 {program}"
    )


@only_root
def test_a_program_in_a_folder_that_is_closed_to_the_daemon_is_not_for_it(program: Path) -> None:
    program.parent.chmod(0o700)
    assert told_to_both(program) == (
        f"{program.parent} is closed to user 4712, whom ikevd runs as, on the way to {program} (mode 0700); run: chmod "
        f"go+x {program.parent}"
    )


@only_root
def test_a_group_of_the_daemon_may_run_what_others_may_not(program: Path) -> None:
    for path in (program, program.parent):
        os.chown(path, 0, SECRETS_GROUP)
        path.chmod(0o750)
    assert told_to_both(program, SECRETS_GROUP) is None
    assert "is closed to user 4712" in str(told_to_both(program))


@only_root
def test_of_the_daemons_own_program_its_owners_permission_counts(program: Path) -> None:
    os.chown(program, DAEMON, DAEMON)
    program.chmod(0o500)
    assert told_to_both(program) is None
    program.chmod(0o455)
    assert "is not for user 4712, whom ikevd runs as, to run" in str(told_to_both(program))
