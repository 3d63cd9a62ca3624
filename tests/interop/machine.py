"""A machine with systemd: a Debian as a node of the topology, where ikevd is installed as docs/service.md says.

systemd is PID 1 of namespaces of its own (mounts, processes, control groups, host name), so that a test can start the
machine, switch it off and start it again while its peer runs on. What it writes is gone with the test.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ikevd.control.client import Client
from tests.conftest import ROOT
from tests.eventually import eventually
from tests.interop.node import Node, run
from tests.plugins.secrets import shows_secret

BOOKWORM, TRIXIE = "bookworm", "trixie"
"""Of Debian, whose systemd is 252 and 257."""
CGROUPS = Path("/sys/fs/cgroup")
NAMESPACES = ("--mount", "--pid", "--uts", "--ipc", "--cgroup")
UNITS = Path("/etc/systemd/system")
MASKED = (
    # What would set values of the one kernel, and what only takes time.
    "systemd-sysctl.service systemd-modules-load.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer"
    " e2scrub_reap.service e2scrub_all.timer systemd-update-utmp.service systemd-update-utmp-runlevel.service"
    " getty.target systemd-tmpfiles-clean.timer systemd-ask-password-console.path systemd-ask-password-wall.path"
)
PROGRAM = "#!/opt/ikevd/bin/python3\nimport sys\nfrom ikevd.cli.main import main\nsys.exit(main())\n"
"""What pip makes of the entry point."""
RTMIN_POWER_OFF = signal.SIGRTMIN + 4
"""systemd(1): starts poweroff.target."""


class Machine:
    """A context manager: from its beginning on there is the disk, at its end all is gone."""

    def __init__(self, node: Node, suite: str = BOOKWORM) -> None:
        self.node = node
        self._debian = (ROOT / ".rig" / f"systemd-{suite}").resolve()
        self._folder = Path(tempfile.mkdtemp(prefix=f"machine-{node.name}-"))
        self.disk = self._folder / "root"
        self._cgroup = CGROUPS / self._folder.name
        self._first: int | None = None
        self._forgotten = 0

    def __enter__(self) -> Self:
        try:
            self._mount_disk()
            self._install()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._first is not None:
                journal = self.journal()
                if error is not None:
                    error.add_note(f"--- journal of {self.node.name}:\n{journal[-12000:]}")
                assert error is not None or not shows_secret(journal), "the pre-shared key stands in the journal"
        finally:
            self._remove()

    # -- the disk

    def _mount_disk(self) -> None:
        assert self._debian.is_dir(), f"first: make .rig/{self._debian.name}.stamp"
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(self._folder))
        for name in ("changes", "work", "root"):
            (self._folder / name).mkdir()
        layers = f"lowerdir={self._debian},upperdir={self._folder}/changes,workdir={self._folder}/work"
        run("mount", "-t", "overlay", "-o", layers, "overlay", str(self.disk))

    def _install(self) -> None:
        """As an administrator does, without starting anything."""
        (packages,) = self.disk.glob("opt/ikevd/lib/python3*/site-packages")
        shutil.copytree(ROOT / "ikevd", packages / "ikevd", ignore=shutil.ignore_patterns("__pycache__"))
        self.write("/opt/ikevd/bin/ikevd", PROGRAM, mode=0o755)
        (self.disk / "usr/bin/ikevd").symlink_to("/opt/ikevd/bin/ikevd")
        for unit in (ROOT / "systemd").glob("*.service"):
            self.write(f"{UNITS}/{unit.name}", unit.read_text())
        self.write("/etc/sysusers.d/ikevd.conf", (ROOT / "systemd/ikevd.sysusers").read_text())
        for masked in MASKED.split():
            (self.disk / "etc/systemd/system" / masked).symlink_to("/dev/null")
        self._in_root("chown", "-R", "root:root", "/opt/ikevd/bin/ikevd", "/etc/systemd/system")
        self._in_root("chmod", "-R", "a+rX", f"/{packages.relative_to(self.disk)}/ikevd")
        self._in_root("/opt/ikevd/bin/python3", "-m", "compileall", "-q", f"/{packages.relative_to(self.disk)}/ikevd")
        self._in_root("systemd-sysusers")
        self._in_root("install", "-d", "-o", "root", "-g", "ikevd", "-m", "0750", "/etc/ikevd")

    def _in_root(self, *command: str) -> None:
        """For what needs no running systemd."""
        run("chroot", str(self.disk), *command)

    def enable(self, unit: str) -> None:
        """`systemctl enable` for the next start."""
        self._in_root("systemctl", "enable", unit)

    def write(self, path: str, text: str, *, owner: str = "root:root", mode: int = 0o644) -> None:
        """A file of this machine."""
        file = self.disk / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(text)
        if owner != "root:root":
            self._in_root("chown", owner, path)
        file.chmod(mode)

    def has(self, path: str) -> bool:
        """Is there such a file on its disk?"""
        return (self.disk / path.lstrip("/")).exists()

    def configure(self, text: str) -> None:
        """/etc/ikevd/ikevd.yaml, as the unit's text says."""
        self.write("/etc/ikevd/ikevd.yaml", text, owner="ikevd:ikevd", mode=0o600)

    def configuration(self) -> str:
        """What `configure` wrote."""
        return (self.disk / "etc/ikevd/ikevd.yaml").read_text()

    def drop_in(self, text: str) -> None:
        """`systemctl edit ikevd`."""
        self.write(f"{UNITS}/ikevd.service.d/test.conf", text)
        self.systemctl("daemon-reload")

    def forget_ikevd(self) -> None:
        """Back to where it never ran: no drop-in, no store, no blocks; nothing of it in the kernel."""
        self.systemctl("stop", "ikevd")
        self.systemctl("reset-failed", "ikevd", check=False)
        for path in (f"{UNITS}/ikevd.service.d", "/run/ikevd", "/var/lib/ikevd"):
            self.run("rm", "-rf", path)
        self.systemctl("daemon-reload")
        self._flush()
        self._forgotten += len(self.log())

    # -- its life

    def switch_on(self) -> None:
        """Returns when systemd has started what it is to start, or has failed to."""
        prepare_cgroups()
        self._cgroup.mkdir(exist_ok=True)
        enter = f'echo 0 > {self._cgroup}/cgroup.procs; exec "$@"'
        init = [str(Path(__file__).with_name("machine-init")), str(self.disk)]
        command = self.node.command("unshare", *NAMESPACES, "--fork", "--kill-child", *init)
        self._process = subprocess.Popen(["sh", "-c", enter, "sh", *command], stdin=subprocess.DEVNULL)
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        self._first = int(eventually(children.read_text))
        eventually((self._seen_from_outside / "run/systemd/private").exists)
        self.systemctl("is-system-running", "--wait", check=False)

    @property
    def is_on(self) -> bool:
        """Since `switch_on`."""
        return self._first is not None

    def switch_off(self) -> None:
        """As `systemctl poweroff` does; returns when all has ended. The kernel forgets its SAs and policies."""
        assert self._first is not None
        os.kill(self._first, RTMIN_POWER_OFF)
        self._process.wait(120)
        self._first, self._forgotten = None, 0
        self._flush()

    def _flush(self) -> None:
        for what in ("state", "policy"):
            self.node.ip("xfrm", what, "flush")

    def _remove(self) -> None:
        if self._first is not None:
            self._process.kill()
            self._process.wait()
            self._first = None
        for mounted in (self.disk, self._folder):
            run("umount", "-l", str(mounted), check=False)
        self._folder.rmdir()
        folders = sorted(self._cgroup.glob("**/"), reverse=True) if self._cgroup.is_dir() else []
        for folder in folders:
            eventually(partial(_removed, folder))

    # -- in it

    def run(self, *command: str, check: bool = True, timeout: float = 60) -> str:
        """Run a command as this machine's root; its stdout, or stdout and stderr where it fails unchecked."""
        where = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd"]
        return run("nsenter", f"--target={self._first}", *where, *command, check=check, timeout=timeout)

    def systemctl(self, *arguments: str, check: bool = True) -> str:
        return self.run("systemctl", *arguments, check=check, timeout=120)

    def show(self, what: str, unit: str = "ikevd") -> str:
        """A property of the unit, as `systemctl show` tells."""
        return self.systemctl("show", "--value", f"--property={what}", unit).strip()

    def journal(self, *matches: str) -> str:
        """Of all since the machine's start, or of what matches."""
        return self.run("journalctl", "--quiet", "--no-pager", "--boot", "--output=short-monotonic", *matches)

    def log(self) -> str:
        """What ikevd, and systemd of it, has said since the start of the machine or the last `forget_ikevd`."""
        return self.journal("--unit=ikevd")[self._forgotten :]

    @property
    def _seen_from_outside(self) -> Path:
        """Its root folder with all that is mounted in it."""
        return Path(f"/proc/{self._first}/root")

    @property
    def client(self) -> Client:
        """The API of its ikevd."""
        return Client(self._seen_from_outside / "run/ikevd/control.sock")

    def status(self) -> dict[str, Any]:
        """`ikevd status --json`."""
        return self.client.status()


def prepare_cgroups() -> None:
    """Control groups of version 2, with what the units set."""
    if not (CGROUPS / "cgroup.controllers").exists():
        run("mount", "-t", "cgroup2", "cgroup", str(CGROUPS))
    (CGROUPS / "cgroup.subtree_control").write_text("+memory +pids")


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False
    return True
