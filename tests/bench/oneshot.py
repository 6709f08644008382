"""rsync, Unison and rclone bisync, all over one sshd as anybody would run them: each a process that runs and ends.

Each has the options that make it quick at this: rsync compares sizes and times, Unison stamps, rclone the listings of
last time and makes no second hash of what it has copied. Nothing is compressed; the bytes could not be.
"""

import getpass
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.bench.corpus import Corpus
from tests.bench.program import ENVIRON, Arrived, end, link_in_place, put_in_place, run, version_of
from tests.ports import free_ports
from tests.simulators.sshd import make_key, wait_until_it_listens

ALIAS = "peer"
RENAMED = "改名.bin"


@dataclass(frozen=True)
class Account:
    """An sshd that lets this user in with a key of its own: a shell and SFTP, as a server of the trade has them."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    def sessions(self) -> list[psutil.Process]:
        """All that it has started and that still runs."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def ssh(self, port: int) -> list[str]:
        """The ssh command up to the host's name."""
        pinned = (f"UserKnownHostsFile={self.folder}/known_hosts", "StrictHostKeyChecking=yes", f"HostKeyAlias={ALIAS}")
        options = [word for option in (*pinned, "IdentitiesOnly=yes", "BatchMode=yes") for word in ("-o", option)]
        return ["ssh", "-F", "none", "-p", str(port), "-i", f"{self.folder}/key", *options]


@contextmanager
def account(folder: Path) -> Iterator[Account]:
    """A running one."""
    folder.mkdir(parents=True)
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    (port,) = free_ports(1)
    (folder / "known_hosts").write_text(f"{ALIAS} {make_key(folder / 'host_key')}\n")
    (folder / "authorized_keys").write_text(f"{make_key(folder / 'key')}\n")
    config = folder / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host_key\nAuthorizedKeysFile {folder}/authorized_keys\n"
        "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        "LogLevel VERBOSE\nPermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\nMaxStartups 64:30:128\n"
    )
    log = folder / "sshd.log"
    with log.open("wb") as file:
        argv = ["setpriv", "--pdeathsig", "KILL", "/usr/sbin/sshd", "-D", "-e", "-f", str(config)]
        process = subprocess.Popen(argv, stdout=file, stderr=file, start_new_session=True)
    try:
        wait_until_it_listens(log, process)
        yield Account(folder, port, process)
    finally:
        end(process)


@dataclass
class OneShot:
    """Two trees, and a program that makes one like the other."""

    account: Account
    folder: Path
    name: str = ""
    port: int = 0
    is_fresh: bool = field(default=True)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.server_port = self.port = self.account.port

    @property
    def hub(self) -> Path:
        return self.folder / "hub"

    @property
    def box(self) -> Path:
        return self.folder / "box"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def connect(self, port: int) -> None:
        self.port = port

    def stock(self, corpus: Corpus) -> None:
        corpus.linked_to(self.hub)
        self.box.mkdir()

    def seed(self, corpus: Corpus) -> None:
        corpus.copied_to(self.box)
        self.sync(limit_s=600)

    def holds(self, corpus: Corpus) -> bool:
        return corpus.is_in(self.box)

    def change(self, number: int) -> Arrived:
        path = self._one()
        data, copy = put_in_place(path, number), self.box / path.relative_to(self.hub)
        return lambda: copy.read_bytes() == data

    def replace(self, fresh: Path) -> None:
        link_in_place(self._one(), fresh)

    def rename(self) -> None:
        path = self._one()
        path.rename(path.with_name(RENAMED))

    def sync(self, limit_s: float) -> None:
        run(self.argv(), limit_s, self.log, self.environ())
        self.is_fresh = False

    def argv(self) -> list[str]:
        raise NotImplementedError

    def environ(self) -> dict[str, str]:
        return {**ENVIRON, "HOME": str(self.folder)}

    def close(self) -> None:
        """Nothing of it runs between two runs."""

    def _one(self) -> Path:
        return next(path for path in sorted(self.hub.rglob("*.bin")) if path.name != RENAMED)


class Rsync(OneShot):
    """Makes the box's tree like the hub's, one way."""

    def argv(self) -> list[str]:
        source = f"{getpass.getuser()}@hub-of-the-bench:{self.hub}/"
        shell = [*self.account.ssh(self.port), "-o", "HostName=127.0.0.1"]
        return ["rsync", "--archive", "--delete", "--rsh", " ".join(shell), source, f"{self.box}/"]


class Durable(Rsync):
    """The same, each file on the disk before the next: since rsync 3.2.4."""

    def argv(self) -> list[str]:
        return ["rsync", "--fsync", *super().argv()[1:]]


class Unison(OneShot):
    """Keeps both trees alike, both ways; archives of the last common state on either side."""

    def argv(self) -> list[str]:
        remote = f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}/{self.hub}"
        options = self.account.ssh(self.port)[1:]
        del options[options.index("-p") : options.index("-p") + 2]
        server = f"env UNISON={self.folder}/archive-hub unison"
        argv = ["unison", str(self.box), remote, "-batch", "-auto", "-silent", "-confirmbigdel=false"]
        return [*argv, "-fastcheck", "true", "-times", "-sshargs", " ".join(options), "-servercmd", server]

    def environ(self) -> dict[str, str]:
        return {**super().environ(), "UNISON": f"{self.folder}/archive-box"}


class Rclone(OneShot):
    """bisync keeps both trees alike by the listings of last time; the first run is its `--resync`."""

    def argv(self) -> list[str]:
        # By a name: the listings of last time are filed under what the remote is called, and its port may be another.
        config = self.folder / "rclone.conf"
        config.write_text(
            f"[hub]\ntype = sftp\nhost = 127.0.0.1\nport = {self.port}\nuser = {getpass.getuser()}\n"
            f"key_file = {self.account.folder}/key\ndisable_hashcheck = true\nshell_type = unix\n"
        )
        argv = [
            "rclone",
            "bisync",
            f"hub:{self.hub}",
            str(self.box),
            "--workdir",
            f"{self.folder}/listings",
            "--config",
            str(config),
        ]
        # It refuses to go on where every file was changed, as it is where there is only one.
        return [*argv, "--resync" if self.is_fresh else "--force"]


def versions() -> dict[str, str | None]:
    """What is installed of them."""
    return {
        "rsync": version_of("rsync", "--version"),
        "unison": version_of("unison", "-version"),
        "rclone": version_of("rclone", "version"),
    }


PROGRAMS = {"rsync": Rsync, "unison": Unison, "rclone": Rclone}
