"""A real sshd on loopback that runs one command for one key: what a hub is to a box, as far as SSH goes."""

import getpass
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.ports import free_ports

START_TIMEOUT_S = 10


@dataclass(frozen=True)
class Sshd:
    """A running server; `key_path` is the key that it accepts."""

    port: int
    user: str
    host_key: str
    key_path: Path
    log: Path
    process: subprocess.Popen[bytes]


@contextmanager
def sshd(folder: Path, command: str, options: str = "") -> Iterator[Sshd]:
    """Serve `command` to the owner of the key made here; all of it is gone at the end of the block."""
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    (port,) = free_ports(1)
    host_key = make_key(folder / "host_key")
    key_path = folder / "key"
    public = make_key(key_path)
    (folder / "authorized_keys").write_text(f'restrict,command="{command}" {public}\n')
    config = folder / "sshd_config"
    config.write_text(
        f"{options}\nListenAddress 127.0.0.1:{port}\n"
        f"HostKey {folder}/host_key\nAuthorizedKeysFile {folder}/authorized_keys\n"
        "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        "LogLevel VERBOSE\nPermitRootLogin forced-commands-only\n"
    )
    log = folder / "sshd.log"
    with log.open("wb") as file:
        argv = ["setpriv", "--pdeathsig", "KILL", "/usr/sbin/sshd", "-D", "-e", "-f", str(config)]
        process = subprocess.Popen(argv, stdout=file, stderr=file, start_new_session=True)
    try:
        wait_until_it_listens(log, process)
        yield Sshd(port, getpass.getuser(), host_key, key_path, log, process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait(START_TIMEOUT_S)


def make_key(path: Path) -> str:
    """Write a new Ed25519 key to `path` and return its public line, of two words."""
    key = Ed25519PrivateKey.generate()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.chmod(0o600)
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def wait_until_it_listens(log: Path, process: subprocess.Popen[bytes]) -> None:
    """Until it says so; what it said where it does not."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while b"Server listening" not in log.read_bytes():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
