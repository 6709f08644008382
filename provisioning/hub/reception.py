"""The gate's end of a connection that a site's door made: who is there, what was asked for, and the three streams.

Who is there the kernel tells (SO_PEERCRED), by the number of the account; nothing that the door says can change that.
A question is one JSON line with standard input, output and error of the session beside it; an answer is one line:
`{"ended": STATUS}`, or what the door may run rsync for (`grant`).
"""

import os
import select
import socket
import struct
from dataclasses import dataclass
from typing import Final

import msgspec

from appliance.core.errors import Refused, Text
from provisioning.hub.accounts import site_with
from provisioning.hub.folder import HubFolder
from provisioning.hub.sites import Site

QUESTION_BYTES_MAX: Final = 512 * 1024
QUESTION_TIMEOUT_S: Final = 10.0
STREAMS: Final = 3
_PEER: Final = struct.Struct("3i")
"""struct ucred: process, user, group (unix(7))."""

_STRANGER: Final = Text("不是县级中心的账户", "not the account of a site")
_MALFORMED: Final = Text("请求格式不对", "a malformed request")


class Question(msgspec.Struct, frozen=True):
    """What a door says. `asked` is the command that came over SSH, None where there was none; `claim` "" or an id."""

    asked: str | None
    claim: str
    from_: str = msgspec.field(name="from")


@dataclass(frozen=True)
class Caller:
    """One connection. `line` is open for as long as the door lives."""

    site: Site
    question: Question
    line: socket.socket

    def ended(self, status: int) -> None:
        """Say that it is over."""
        self._say({"ended": status})

    def grant(self, restriction: list[str], folder: str, file_bytes_max: int) -> None:
        """Let the door run rrsync, and let go of its streams."""
        self._say({"rsync": restriction, "folder": folder, "file_bytes_max": file_bytes_max})
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(STREAMS):
            os.dup2(nothing, stream)
        os.close(nothing)

    def is_gone(self, within_s: float) -> bool:
        """Whether the door has ended; waits for it so long."""
        readable, _, _ = select.select([self.line], [], [], within_s)
        return bool(readable)

    def _say(self, answer: dict[str, object]) -> None:
        try:
            self.line.sendall(msgspec.json.encode(answer) + b"\n")
        except BrokenPipeError:
            return


def receive(folder: HubFolder) -> Caller:
    """Who came in by standard input. The streams of the session take the place of ours. Refused for a stranger."""
    line = socket.socket(fileno=os.dup(0))
    line.settimeout(QUESTION_TIMEOUT_S)
    question, streams = _question(line)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    line.settimeout(None)
    _process, user, _group = _PEER.unpack(line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    site = site_with(folder, user)
    if site is None:
        raise Refused(_STRANGER)
    os.environ["SSH_CONNECTION"] = question.from_
    return Caller(site, question, line)


def _question(line: socket.socket) -> tuple[Question, list[int]]:
    data, streams, _flags, _address = socket.recv_fds(line, QUESTION_BYTES_MAX, STREAMS)
    try:
        while not data.endswith(b"\n") and len(data) < QUESTION_BYTES_MAX:
            more = line.recv(QUESTION_BYTES_MAX)
            if not more:
                break
            data += more
        if len(streams) != STREAMS:
            raise Refused(_MALFORMED)
        return msgspec.json.decode(data, type=Question), streams
    except (OSError, msgspec.DecodeError) as error:
        for stream in streams:
            os.close(stream)
        raise Refused(_MALFORMED) from error
