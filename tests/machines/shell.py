"""What an operator can do with a machine over SSH: run a command, take files there and back. All bounded."""

import shlex
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.machines.places import PATIENCE

COMMAND_S_MAX: Final = 120.0 * PATIENCE
OUTPUT_BYTES_MAX: Final = 4 * 1024 * 1024
COPY_S_MAX: Final = 900.0 * PATIENCE
_CONNECT_S: Final = 60
_GREETING_S: Final = 6.0 * PATIENCE


class CommandFailed(Exception):
    """A command in a machine ended badly, or not in time; the end of what it said is in the message."""

    def __init__(self, told: str, status: int | None = None) -> None:
        super().__init__(told)
        self.status = status
        """What it ended with: 255 where the machine could not be reached, None where it was not done in time."""


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Shell:
    """Where a machine's sshd is, and by what it is known and lets one in."""

    port: int
    key: Path
    known_hosts: Path
    control: Path
    """Where the line is kept open between commands: a login costs an emulated machine a second."""

    def options(self) -> list[str]:
        """For ssh, scp and Ansible alike."""
        settings = {
            "IdentityFile": self.key,
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": self.known_hosts,
            "GlobalKnownHostsFile": "/dev/null",
            "HostKeyAlgorithms": "ssh-ed25519",
            "StrictHostKeyChecking": "yes",
            "BatchMode": "yes",
            "ConnectTimeout": _CONNECT_S,
            "ServerAliveInterval": 10,
            "ServerAliveCountMax": 6,
            "LogLevel": "ERROR",
            "ControlMaster": "auto",
            "ControlPersist": 120,
            "ControlPath": self.control,
        }
        return ["-F", "none", *(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))]

    def argv(self, command: str = "") -> list[str]:
        return ["ssh", *self.options(), "-p", str(self.port), "root@127.0.0.1", *([command] if command else [])]

    def run(self, command: str, *, check: bool = True, timeout_s: float = COMMAND_S_MAX, stdin: bytes = b"") -> Done:
        """Runs a command line in the machine's shell as root.

        Raises CommandFailed when it is not done in time and, with `check`, when its status is not 0. A machine that
        cannot be reached is status 255.
        """
        status, out, err = _bounded(self.argv(command), timeout_s, stdin, command)
        if check and status != 0:
            raise CommandFailed(f"{command}\nstatus {status}\n{out[-4000:]}\n{err[-4000:]}", status)
        return Done(status, out, err)

    def reached(self, timeout_s: float = _CONNECT_S) -> bool:
        """Whether a command can be run in it now.

        A knock comes first: QEMU takes the connection for a machine that is not up yet, and tries the machine again so
        seldom that a first ssh would hang for half a minute.
        """
        if not self._greets():
            return False
        try:
            return self.run("true", check=False, timeout_s=timeout_s).status == 0
        except CommandFailed:
            return False

    def _greets(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), _GREETING_S) as line:
                return line.recv(4) == b"SSH-"
        except OSError:
            return False

    def put(self, here: Path, there: str) -> None:
        """Copies a file or a folder into the machine."""
        self._copy(str(here), f"root@127.0.0.1:{there}")

    def get(self, there: str, here: Path) -> None:
        """Copies a file or a folder out of the machine."""
        self._copy(f"root@127.0.0.1:{there}", str(here))

    def write(self, there: str, text: str, mode: int = 0o644) -> None:
        """Writes a small file in the machine."""
        quoted = shlex.quote(there)
        self.run(f"cat >{quoted} && chmod {mode:o} {quoted}", stdin=text.encode())

    def hang_up(self) -> None:
        """Ends the line that is kept open; the machine may be gone already."""
        argv = ["ssh", *self.options(), "-O", "exit", "-p", str(self.port), "root@127.0.0.1"]
        subprocess.run(argv, check=False, capture_output=True, timeout=COMMAND_S_MAX)
        self.control.unlink(missing_ok=True)

    def _copy(self, source: str, target: str) -> None:
        argv = ["scp", "-q", "-r", *self.options(), "-P", str(self.port), source, target]
        status, _out, err = _bounded(argv, COPY_S_MAX, b"", f"{source} -> {target}")
        if status != 0:
            raise CommandFailed(f"{source} -> {target}\n{err[-4000:]}")


def _bounded(argv: list[str], timeout_s: float, stdin: bytes, what: str) -> tuple[int, str, str]:
    """A program with its output in files, read up to the bound: a line that stays open holds nothing up."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        try:
            done = subprocess.run(argv, check=False, stdin=given, stdout=out, stderr=err, timeout=timeout_s)
        except subprocess.TimeoutExpired as late:
            raise CommandFailed(f"{what}\nnot done within {timeout_s:.0f} s") from late
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read(OUTPUT_BYTES_MAX).decode(errors="replace"))
    return done.returncode, texts[0], texts[1]
