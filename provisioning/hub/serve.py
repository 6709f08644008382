"""`songshan-hub serve`: an unprivileged sshd for this hub on loopback. A real hub uses the system's sshd."""

import fcntl
import os
import pwd
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import click
import msgspec

from appliance.command import say
from appliance.core.errors import OperatorError, Refused, Text, WorldError
from appliance.durable import write_atomically
from provisioning.command import pass_hub
from provisioning.hub.folder import HubFolder, HubSettings, render_settings
from provisioning.hub.presence import is_held
from provisioning.hub.sites import write_authorized_keys
from provisioning.hub.sshd import LOOPBACK, of_serve

PRIVILEGE_SEPARATION: Final = Path("/run/sshd")
SSHD_PLACES: Final = ("/usr/sbin/sshd", "/usr/local/sbin/sshd")
TOLD: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
START_TIMEOUT_S: Final = 10.0
START_POLL_S: Final = 0.05
END_TIMEOUT_S: Final = 5


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="0 picks a free one; by default the one of hub.toml")
@pass_hub
def serve(folder: HubFolder, port: int | None) -> None:
    """Run an sshd for this hub on 127.0.0.1, in the foreground, until SIGTERM or Ctrl-C.

    The port is written into hub.toml, from where bundles take it. Example: songshan-hub --hub hub serve --port 2222
    """
    settings = folder.settings()
    if settings.accounts:
        raise Refused(
            Text(
                "此嵩山云的各站有自己的账户，由系统的 sshd 服务",
                "this hub's sites have accounts: the system's sshd serves it",
            ),
            hint=Text("见 docs/operating.md，第 2 节", "see docs/operating.md, section 2"),
        )
    _check_account(settings.user)
    with _serving(folder) as mark:
        settings = _settle_port(folder, settings, port)
        with folder.locked():
            write_authorized_keys(folder, folder.now_us())
            config = folder.ssh / "sshd_config"
            write_atomically(config, of_serve(folder, settings, mark).encode())
        sys.exit(_run(folder, config, settings.port))


@contextmanager
def _serving(folder: HubFolder) -> Iterator[Path]:
    """Hold the mark that this hub is served. What our sshd starts sees by it that we are gone, also after kill -9."""
    folder.ssh.mkdir(parents=True, exist_ok=True)
    mark = folder.ssh / f"serving.{secrets.token_hex(4)}"
    with ExitStack() as kept:
        with folder.locked():
            for left in folder.ssh.glob("serving.*"):
                if is_held(left):
                    raise Refused(Text("此文件夹已在服务", "this hub is being served already"))
                left.unlink(missing_ok=True)
            fcntl.flock(kept.enter_context(mark.open("ab")), fcntl.LOCK_EX)
        kept.callback(mark.unlink)
        yield mark


def _settle_port(folder: HubFolder, settings: HubSettings, port: int | None) -> HubSettings:
    wanted = settings.port if port is None else port
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, wanted))
        except OSError as error:
            raise WorldError(
                Text(f"端口 {wanted} 用不了：{error}", f"port {wanted} cannot be used: {error}")
            ) from error
        wanted = probe.getsockname()[1]
    if wanted == settings.port:
        return settings
    settled = msgspec.structs.replace(settings, port=wanted)
    with folder.locked():
        write_atomically(folder.settings_file, render_settings(settled).encode())
    return settled


def _run(folder: HubFolder, config: Path, port: int) -> int:
    """sshd until it ends or we are told to; then it and every session of it is ended. Its exit status, 0 when told."""
    program = next((path for path in SSHD_PLACES if os.access(path, os.X_OK)), None)
    if program is None:
        raise WorldError(
            Text("没有 sshd", "there is no sshd"),
            hint=Text("apt-get install openssh-server", "apt-get install openssh-server"),
        )
    if os.getuid() == 0:
        PRIVILEGE_SEPARATION.mkdir(mode=0o755, parents=True, exist_ok=True)
    folder.log.mkdir(parents=True, exist_ok=True)
    log_file = folder.log / "sshd.log"
    with log_file.open("ab") as log:
        argv = ["setpriv", "--pdeathsig", "KILL", "--", program, "-D", "-e", "-f", str(config)]
        sshd = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        signal.pthread_sigmask(signal.SIG_BLOCK, {*TOLD, signal.SIGCHLD})
    _await(sshd, port)
    if sshd.poll() is not None:
        raise WorldError(Text("sshd 没有启动", "sshd did not start"), hint=Text(*[_last_line(log_file)] * 2))
    say(Text(f"嵩山云在 {LOOPBACK}:{port} 服务，Ctrl-C 结束", f"serving on {LOOPBACK}:{port}, Ctrl-C ends it"))
    sys.stdout.flush()
    while sshd.poll() is None:
        if signal.sigwait({*TOLD, signal.SIGCHLD}) in TOLD:
            _end(sshd)
            return 0
    return 1


def _await(sshd: subprocess.Popen[bytes], port: int) -> None:
    """Until it listens, or has ended, which the caller sees."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while sshd.poll() is None and time.monotonic() < deadline_s:
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, port)) == 0:
                return
        time.sleep(START_POLL_S)


def _end(sshd: subprocess.Popen[bytes]) -> None:
    """SIGTERM to sshd alone would leave its sessions running: they are ended with it."""
    import psutil

    family = psutil.Process(sshd.pid).children(recursive=True)
    sshd.terminate()
    sshd.wait(END_TIMEOUT_S)
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _gone, alive = psutil.wait_procs(family, timeout=END_TIMEOUT_S)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return lines[-1] if lines else str(log)


def _check_account(user: str) -> None:
    """sshd starts forced commands with the account's shell; OperatorError when there is none that would."""
    try:
        shell = pwd.getpwnam(user).pw_shell
    except KeyError as error:
        raise OperatorError(Text(f"没有账户 {user}", f"there is no account {user}")) from error
    if Path(shell).name in ("nologin", "false"):
        raise OperatorError(Text(f"账户 {user} 的 shell 是 {shell}", f"the shell of account {user} is {shell}"))
