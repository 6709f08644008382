"""`songshan-hub-door`: the shell of a site's account, and all that it can do.

It knows nothing of journals and keys. It tells the gate's socket what was asked for and hands over the three streams of
the connection; whose account this is the kernel tells the gate. Then it waits for the end, or runs rsync in one of the
two folders that the account may enter, until the gate lets go. docs/formats.md, section 5.

Nothing but the standard library is imported, and of that little: every session and every transfer starts it anew.
"""

import array
import json
import os
import resource
import select
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, NoReturn

ASKED_CHARS_MAX: Final = 70_000
"""`admission` refuses longer ones."""
ANSWER_BYTES_MAX: Final = 64 * 1024
RRSYNC: Final = "/usr/bin/rrsync"
END_TIMEOUT_S: Final = 5.0
FILE_MODE: Final = 0o644
"""What came up must be readable by the hub, whatever the box called it; nobody else gets into the folder."""
NO_SHELL: Final = "此账户没有 shell / this account has no shell\n"
NO_GATE: Final = "嵩山云此刻不接待，请稍后再试 / the hub is not receiving now, try again later\n"


def main() -> NoReturn:
    """sshd starts the account's shell with `-c` and the command of its key; nobody else starts it with any use."""
    words = sys.argv[2].split(" ") if len(sys.argv) == 3 and sys.argv[1] == "-c" else []
    match words:
        case [gate, "site"] if gate.startswith("/"):
            sys.exit(_enter(gate, ""))
        case [gate, "claim", claim] if gate.startswith("/"):
            sys.exit(_enter(gate, claim))
        case _:
            sys.stderr.write(NO_SHELL)
            sys.exit(1)


def _enter(gate: str, claim: str) -> int:
    """Ask, and do what the gate says; the exit status of the session."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        try:
            line.connect(gate)
            _ask(line, claim)
        except OSError:
            sys.stderr.write(NO_GATE)
            return 1
        said = _answer(line)
        match said:
            case {"ended": int(status)}:
                return status
            case {"rsync": list(restriction), "folder": str(folder), "file_bytes_max": int(bytes_max)}:
                return _rsync(line, restriction, Path(folder), bytes_max)
            case _:
                return 1


def _ask(line: socket.socket, claim: str) -> None:
    asked = os.environ.get("SSH_ORIGINAL_COMMAND")
    question = {
        "asked": asked[:ASKED_CHARS_MAX] if asked is not None else None,
        "claim": claim,
        "from": " ".join(os.environ.get("SSH_CONNECTION", "").split()[:2]),
    }
    streams = array.array("i", [0, 1, 2])
    data = json.dumps(question).encode() + b"\n"
    sent = line.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
    line.sendall(data[sent:])


def _answer(line: socket.socket) -> Any:
    """One line; None when the gate went without a word."""
    data = b""
    while not data.endswith(b"\n") and len(data) < ANSWER_BYTES_MAX:
        try:
            more = line.recv(4096)
        except OSError:
            return None
        if not more:
            return None
        data += more
    return json.loads(data)


def _rsync(line: socket.socket, restriction: list[str], folder: Path, bytes_max: int) -> int:
    """rrsync in a folder, until it ends or the gate lets go; its exit status. `bytes_max`: of one file, 0: no bound."""
    if bytes_max:
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_max, bytes_max))
        _make_readable(folder)
    argv = ["setpriv", "--pdeathsig", "KILL", "--", RRSYNC, *restriction, str(folder)]
    rsync = subprocess.Popen(argv, start_new_session=True)
    ended = os.pidfd_open(rsync.pid)
    ready, _writable, _ = select.select([ended, line.fileno()], [], [])
    if ended not in ready:
        _end(rsync)
    status = rsync.wait()
    if bytes_max:
        _make_readable(folder)
    return status if status >= 0 else 1


def _end(rsync: "subprocess.Popen[bytes]") -> None:
    os.killpg(rsync.pid, signal.SIGTERM)
    try:
        rsync.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(rsync.pid, signal.SIGKILL)


def _make_readable(folder: Path) -> None:
    """Plain files of ours; what a killed transfer left too."""
    for entry in os.scandir(folder):
        facts = entry.stat(follow_symlinks=False)
        if stat.S_ISREG(facts.st_mode) and facts.st_uid == os.getuid() and facts.st_mode & 0o777 != FILE_MODE:
            os.chmod(entry.path, FILE_MODE)  # noqa: PTH101  # its own file, in a folder that no link is let into


if __name__ == "__main__":
    main()
