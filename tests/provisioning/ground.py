"""A hub whose sites have accounts of the system: real accounts, the system's sshd, the gate behind its socket.

The accounts live in a mount namespace with an /etc of its own, so that no test leaves one behind on this machine.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from appliance.joining import read_bundle
from tests.ports import free_ports
from tests.provisioning.live import LiveBox, LiveHub, program, until

OWNER = "songshan-hub"

_NAMESPACE = """
set -eu
mount -t tmpfs -o mode=0755 none "$1/etc"
mkdir "$1/etc/upper" "$1/etc/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/etc/upper,workdir=$1/etc/work" /etc
# Where Python lies in root's own folder, other accounts must get to it, and to nothing else there.
case $2 in /root/*)
    mount --bind "$2" "$1/python"
    mount -t tmpfs -o mode=0711 none /root
    mkdir -p "$2"
    mount --move "$1/python" "$2" ;;
esac
useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin songshan-hub
echo ready
exec sleep infinity
"""


@dataclass
class AccountsHub(LiveHub):
    """`path` is reached by every account; its keys are not."""

    namespace: int = 0
    sshd: subprocess.Popen[bytes] | None = None
    gate: subprocess.Popen[bytes] | None = None
    logs: list[Path] = field(default_factory=list)

    def within(self, *argv: str, user: str = "root") -> list[str]:
        """A command line that runs there as somebody."""
        entered = ["nsenter", f"--mount=/proc/{self.namespace}/ns/mnt", "--"]
        if user != "root":
            entered += ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"]
        return [*entered, *argv]

    def as_user(self, user: str, *argv: str, said: str = "") -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "SONGSHAN_LANG": "en", "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            self.within(*argv, user=user),
            input=said,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment,
            cwd="/",
        )

    def attempt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        user = "root" if arguments[0] == "accounts" else OWNER
        return self.as_user(user, program("songshan-hub"), "--hub", str(self.path), *arguments)

    def invite(self, site: str, *options: str) -> Path:
        """A bundle, and the account that goes with it."""
        bundle = self.path / f"{site}.bundle"
        bundle.unlink(missing_ok=True)
        self.run("enrol", site, "--out", str(bundle), *options)
        self.run("accounts")
        return bundle

    def box(self, site: str, home: Path, *options: str) -> LiveBox:
        bundle = self.invite(site, *(options or ("--pre-approved",)))
        box = LiveBox(self, site, home, read_bundle(bundle))
        done = box.join(bundle)
        assert done.returncode == 0, done.stderr
        return box

    def serve(self) -> None:
        """The gate's socket and the system's sshd, as the units start them."""
        settings = self.folder.settings()
        gate = Path(settings.gate_socket)
        command = [program("songshan-hub"), "--hub", str(self.path), "gate", "--socket"]
        listen = ["systemd-socket-activate", "--accept", "--inetd", "-E", "SONGSHAN_LANG=en", f"--listen={gate}"]
        rights = ["setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--init-groups", "--"]
        self.gate = self._start("gate", *listen, *rights, *command)
        until(gate.exists)
        assert self.as_user("root", "chgrp", "songshan-sites", str(gate)).returncode == 0
        gate.chmod(0o660)
        config = self.path.parent / "sshd_config"
        config.write_text(self.run("sshd-config"))
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.sshd = self._start("sshd", "/usr/sbin/sshd", "-D", "-e", "-f", str(config))
        until(lambda: b"Server listening" in (self.path.parent / "sshd.log").read_bytes())

    def stop(self) -> None:
        for process in (self.sshd, self.gate):
            if process is not None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(30)

    def _start(self, name: str, *argv: str) -> subprocess.Popen[bytes]:
        with (self.path.parent / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                self.within(*argv), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )


@contextmanager
def accounts_hub() -> Iterator[AccountsHub]:
    """One that nobody serves yet, with no sites."""
    ground = Path(tempfile.mkdtemp(prefix="songshan-accounts-", dir="/var/tmp"))
    ground.chmod(0o755)
    for name in ("etc", "python", "gate"):
        (ground / name).mkdir(mode=0o755)
    prefix = str(Path(sys.executable).resolve().parents[1])
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _NAMESPACE, "sh", str(ground), prefix]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as namespace:
        try:
            assert namespace.stdout is not None
            assert namespace.stdout.readline() == b"ready\n"
            hub = AccountsHub(ground / "hub", namespace=namespace.pid)
            hub.path.mkdir()
            assert hub.as_user("root", "chown", f"{OWNER}:{OWNER}", str(hub.path)).returncode == 0
            hub.run("init", "--accounts", "--user", OWNER, "--port", str(free_ports(1)[0]), "--listen", "127.0.0.1")
            settings = hub.folder.settings_file
            text = settings.read_text()
            settings.write_text(text.replace("/run/songshan-hub/gate", str(ground / "gate" / "socket")))
            yield hub
            hub.stop()
        finally:
            namespace.kill()
            shutil.rmtree(ground)


def number_of(hub: AccountsHub, user: str) -> int:
    """As the machine of the hub has it."""
    return int(hub.as_user("root", "id", "-u", user).stdout)


def is_nobody_here(user: str) -> bool:
    """Whether this machine itself has no such account."""
    try:
        pwd.getpwnam(user)
    except KeyError:
        return True
    return False
