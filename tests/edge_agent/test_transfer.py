"""rsync over ssh: what it is told, what its end means, and what is left when it is killed. Against a served hub."""

import random
import secrets
import socket as socketlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import psutil
import pytest

from appliance.config import HubAddress
from appliance.core.asset import Asset, Digest, hex_of, parse_digest
from edge_agent import transfer
from edge_agent.children import Children, Ended
from edge_agent.core.observation import Child
from edge_agent.core.outcomes import Result
from edge_agent.transfer import Route, result_of
from tests.provisioning.live import LiveBox, LiveHub
from tests.simulators.link import link

TIMEOUT_S = 30.0
MIB = 1024 * 1024
T = TypeVar("T")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    live = LiveHub(tmp_path_factory.mktemp("hub") / "hub")
    live.run("init")
    live.serve()
    yield live
    assert live.end() == 0


@pytest.fixture(scope="module")
def box(hub: LiveHub) -> LiveBox:
    return hub.box("dengfeng", hub.path.parent / "deng feng 100%'s")


@pytest.fixture(scope="module")
def route(hub: LiveHub, box: LiveBox) -> Route:
    known = box.home / "known hosts"
    address = HubAddress(**{**vars(box.bundle.hub), "port": hub.folder.settings().port})
    known.write_text(transfer.known_hosts_text(address))
    return Route(address, box.home / "keys" / "ssh", known)


def at_hub(hub: LiveHub, data: bytes, readable: bool = True) -> Digest:
    """An asset in the hub's pile, open to dengfeng or not."""
    digest = parse_digest(sha256(data).hexdigest())
    path = hub.library.path_of(digest)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o440)
    if readable:
        hub.library.let_read("dengfeng", [Asset(digest, len(data))])
    return digest


def run(argv: tuple[str, ...]) -> Ended:
    """Run a transfer to its end, as a child of an agent."""
    children = Children()
    children.start(Child("fetch", ("x",)), argv, TIMEOUT_S, transfer.ENVIRON)
    return until(lambda: next(iter(children.look()), None))


def through(route: Route, port: int) -> Route:
    """The same hub by another port: that of a line which counts."""
    return Route(HubAddress(**{**vars(route.hub), "port": port}), route.key, route.known_hosts)


def until(holds: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + TIMEOUT_S
    while not (answer := holds()):
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.01)
    return answer


def outcome(ended: Ended) -> Result:
    return result_of(ended.status, ended.complained)[0]


def both_ends() -> list[psutil.Process]:
    """The rsync of the box that this process started, and whatever serves it at the hub."""
    mine = [each for each in psutil.Process().children(recursive=True) if each.name() in ("rsync", "ssh")]
    sends = [each for each in psutil.process_iter() if "--sender" in _words(each)]
    return mine + sends


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def programs_on(folder: Path) -> list[str]:
    """Command lines of rsync and ssh that still have to do with this folder."""
    lines = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or ())
        if line.startswith(("rsync", "ssh", "setpriv")) and str(folder) in line and process.info["status"] != "zombie":
            lines.append(line)
    return lines


def test_assets_arrive_under_their_digests(hub: LiveHub, route: Route, tmp_path: Path) -> None:
    """The name of a staged file is all that says what it is, also in a home with spaces, quotes and per cents."""
    assets = {data: at_hub(hub, data) for data in (b"one", b"two" * MIB, secrets.token_bytes(3))}
    into = tmp_path / "in coming 50%"
    into.mkdir()
    ended = run(transfer.fetch_argv(route, list(assets.values()), into))
    assert outcome(ended) is Result.DONE, ended
    assert {path.name: path.read_bytes() for path in into.iterdir()} == {hex_of(d): data for data, d in assets.items()}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in into.iterdir())


def test_what_the_hub_lacks_is_told_from_a_line_that_broke(hub: LiveHub, route: Route, tmp_path: Path) -> None:
    """An asset that was recalled meanwhile is not worth a retry every two seconds, and nothing half may be left."""
    there, closed = at_hub(hub, b"there"), at_hub(hub, b"closed", readable=False)
    absent = "sha256:" + "0" * 64
    for asked in ([closed], [absent], [closed, there, absent]):
        ended = run(transfer.fetch_argv(route, asked, tmp_path))
        assert outcome(ended) is Result.MISSING, ended
        assert list(tmp_path.iterdir()) == []
    assert outcome(run(transfer.fetch_argv(route, [there], tmp_path))) is Result.DONE


def test_a_fetch_goes_on_where_a_hard_kill_of_both_ends_left_it(hub: LiveHub, route: Route, tmp_path: Path) -> None:
    """Whatever dies and when: what travels twice is what was on the line, less than 1 MiB for each cut; no orphan."""
    data = random.Random(2).randbytes(24 * MIB)
    digest = at_hub(hub, data)
    staged = tmp_path / hex_of(digest)
    with link(route.hub.port, 0.01) as line:
        argv = transfer.fetch_argv(through(route, line.port), [digest], tmp_path, 12 * MIB)
        for cut in sorted(random.Random(3).sample(range(1, 22), 5)):
            children = Children()
            kept, sent = staged.stat().st_size if staged.exists() else 0, line.bytes_down
            children.start(Child("fetch", (digest,)), argv, 60, transfer.ENVIRON)
            until(lambda cut=cut: staged.exists() and staged.stat().st_size > cut * MIB)
            for process in both_ends():
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            until(lambda children=children: children.look())
            until(lambda: not programs_on(tmp_path) and not both_ends())
            assert line.bytes_down - sent - (staged.stat().st_size - kept) < MIB
        kept, sent = staged.stat().st_size, line.bytes_down
        assert outcome(run(argv)) is Result.DONE
        assert line.bytes_down - sent - (len(data) - kept) < 100_000
    assert [path.name for path in tmp_path.iterdir()] == [staged.name]
    assert sha256(staged.read_bytes()).hexdigest() == staged.name


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "a byte in the middle": lambda data: data[: 4 * MIB] + b"!" + data[4 * MIB + 1 :],
    "a hole that a power cut left": lambda data: data[: 5 * MIB] + bytes(4096) + data[5 * MIB + 4096 :],
    "a line more at the top": lambda data: b"a new header" + data,
    "the end is missing": lambda data: data[: 6 * MIB],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_like_a_file_that_is_here_comes_as_the_difference(
    change: Callable[[bytes], bytes], hub: LiveHub, route: Route, tmp_path: Path
) -> None:
    """A film with a corrected title must not take the night again; also where all of it has moved by a few bytes."""
    old = random.Random(1).randbytes(8 * MIB)
    new = change(old)
    digest = at_hub(hub, new)
    bases = tmp_path / "basis"
    bases.mkdir()
    (bases / hex_of(digest)).write_bytes(old)
    with link(route.hub.port, 0.0) as line:
        argv = transfer.fetch_argv(through(route, line.port), [digest], tmp_path, compared=bases)
        assert outcome(run(argv)) is Result.DONE
        assert line.bytes_down < 80_000
    assert (tmp_path / hex_of(digest)).read_bytes() == new
    assert (bases / hex_of(digest)).read_bytes() == old


def test_an_upload_goes_on_where_a_hard_kill_left_it(hub: LiveHub, box: LiveBox, route: Route, tmp_path: Path) -> None:
    """A county's line is slow upwards: an hour's film must not start again at each cut."""
    data = secrets.token_bytes(8 * MIB)
    path = tmp_path / sha256(data).hexdigest()
    path.write_bytes(data)
    path.chmod(0o444)
    arrived = hub.folder.site("dengfeng").incoming / path.name
    children = Children()
    child = Child("upload", (path.name,))
    children.start(child, transfer.upload_argv(route, [path], 4 * MIB), 60, transfer.ENVIRON)
    until(lambda: arrived.exists() and arrived.stat().st_size > 3 * MIB)
    until(lambda: children.look() or transfer.percent_done(children.said(child)) > 0)
    for process in psutil.Process().children():
        if "rsync" in process.cmdline()[0]:
            process.kill()
    until(children.look)
    until(lambda: not programs_on(tmp_path))
    ended = run((*transfer.upload_argv(route, [path]), "--stats"))
    assert outcome(ended) is Result.DONE, ended
    literal = next(line for line in ended.said.decode().splitlines() if line.startswith("Literal data"))
    assert int("".join(filter(str.isdigit, literal))) < 6 * MIB
    assert arrived.read_bytes() == data


def test_many_files_go_up_in_one_transfer(hub: LiveHub, route: Route, tmp_path: Path) -> None:
    """A photographer's folder; what is gone meanwhile is told, and the others have arrived all the same."""
    made = {sha256(data).hexdigest(): data for data in (b"one picture", b"another picture", b"x" * MIB)}
    for name, data in made.items():
        (tmp_path / name).write_bytes(data)
    there = [tmp_path / name for name in made]
    ended = run(transfer.upload_argv(route, [*there, tmp_path / ("0" * 64)]))
    assert outcome(ended) is Result.MISSING, ended
    incoming = hub.folder.site("dengfeng").incoming
    assert {name: (incoming / name).read_bytes() for name in made} == made
    assert outcome(run(transfer.upload_argv(route, there))) is Result.DONE


def test_ssh_and_rsync_die_with_whoever_started_them(hub: LiveHub, route: Route, tmp_path: Path) -> None:
    """An agent killed with -9 must leave nothing that still writes into the box."""
    digest = at_hub(hub, secrets.token_bytes(8 * MIB))
    argv = transfer.fetch_argv(route, [digest], tmp_path, 100_000)
    program = (
        "import ast, sys, time\n"
        "from edge_agent.children import Children\n"
        "from edge_agent.core.observation import Child\n"
        "argv, environ = (ast.literal_eval(word) for word in sys.argv[1:])\n"
        "Children().start(Child('fetch', ('x',)), argv, 60, environ)\n"
        "time.sleep(60)"
    )
    agent = subprocess.Popen([sys.executable, "-c", program, repr(argv), repr(transfer.ENVIRON)])
    until(lambda: (tmp_path / hex_of(digest)).exists())
    assert programs_on(tmp_path)
    agent.kill()
    agent.wait(TIMEOUT_S)
    until(lambda: not programs_on(tmp_path))


def test_transfers_share_a_connection_that_ends_with_the_agent(hub: LiveHub, route: Route, tmp_path: Path) -> None:
    """To open one takes ten round trips. A transfer with a key that is no key shows that it uses the one that is open;
    where there is none, each opens its own, and the socket of one that was killed is in nobody's way."""
    assets = [at_hub(hub, secrets.token_bytes(9)) for _each in range(2)]
    with TemporaryDirectory(dir="/tmp") as short:
        socket = Path(short) / "hub"
        sharing = Route(route.hub, route.key, route.known_hosts, socket)
        keyless = Route(route.hub, tmp_path / "no key", route.known_hosts, socket)
        for _time in range(2):
            children = Children()
            children.start(Child("share", ("hub",)), transfer.share_argv(sharing), 60, transfer.ENVIRON)
            until(lambda: _listens(socket))
            (into := tmp_path / f"in{_time}").mkdir()
            assert outcome(run(transfer.fetch_argv(keyless, assets, into))) is Result.DONE
            assert outcome(run(transfer.fetch_argv(keyless, assets[:1], into))) is Result.LOCKED_OUT
            for process in psutil.Process().children(recursive=True):
                # Others of this process's children may end meanwhile.
                with suppress(psutil.NoSuchProcess):
                    if process.name() == "ssh":
                        process.kill()
            until(children.look)
            assert socket.exists()
            assert not _listens(socket)
        assert outcome(run(transfer.fetch_argv(sharing, assets, tmp_path))) is Result.DONE


def _listens(path: Path) -> bool:
    with socketlib.socket(socketlib.AF_UNIX) as near:
        return near.connect_ex(str(path)) == 0


def test_a_stopped_transfer_says_so(hub: LiveHub, route: Route, tmp_path: Path) -> None:
    """To give way is not to fail: it must not be punished with a wait."""
    digest = at_hub(hub, secrets.token_bytes(8 * MIB))
    children = Children()
    argv = transfer.fetch_argv(route, [digest], tmp_path, 100_000)
    children.start(Child("fetch", (digest,)), argv, 60, transfer.ENVIRON)
    until(lambda: (tmp_path / hex_of(digest)).exists())
    children.stop((digest,))
    ended = until(children.look)[0]
    assert (ended.was_stopped, outcome(ended)) == (True, Result.STOPPED)


def test_a_hub_that_is_away_a_stranger_and_a_locked_door_are_told_apart(
    hub: LiveHub, box: LiveBox, route: Route, tmp_path: Path
) -> None:
    """The first passes by itself, the other two need a person."""
    digest = at_hub(hub, b"anything")
    away = Route(HubAddress(**{**vars(route.hub), "port": 1}), route.key, route.known_hosts)
    assert outcome(run(transfer.fetch_argv(away, [digest], tmp_path))) is Result.LINE
    stranger = tmp_path / "stranger"
    stranger.write_text(f"hub {(box.home / 'keys' / 'ssh.pub').read_text()}")
    posing = Route(route.hub, route.key, stranger)
    assert outcome(run(transfer.fetch_argv(posing, [digest], tmp_path))) is Result.LOCKED_OUT
    unknown = Route(route.hub, box.home / "keys" / "sign", route.known_hosts)
    assert outcome(run(transfer.fetch_argv(unknown, [digest], tmp_path))) is Result.LOCKED_OUT


@pytest.mark.parametrize(
    ("status", "complained", "expected"),
    [
        (0, "", Result.DONE),
        (11, 'rsync: [receiver] write failed on "/x": No space left on device (28)', Result.NO_ROOM),
        (11, "rsync: write failed: Disk quota exceeded (122)", Result.NO_ROOM),
        (23, 'rsync: [receiver] open "/x" failed: Read-only file system (30)', Result.DISK),
        (11, 'rsync: [receiver] write failed on "/x": Input/output error (5)', Result.DISK),
        (23, 'rsync: [sender] read errors mapping "/x": Input/output error (5)', Result.MISSING),
        (12, "rsync error: error in rsync protocol data stream", Result.LINE),
        (30, "io timeout after 60 seconds", Result.LINE),
        (255, "ssh: connect to host 192.0.2.1 port 22: Connection timed out", Result.LINE),
        (23, "rsync: [sender] link_stat failed: No such file or directory (2)", Result.MISSING),
        (-9, "", Result.STOPPED),
        (1, "rsync: --inplace: unknown option", Result.FAILED),
    ],
)
def test_what_an_exit_means(status: int, complained: str, expected: Result) -> None:
    """rsync(1), EXIT VALUES: each asks for something else of whoever comes next."""
    result, word = result_of(status, complained)
    assert result is expected
    assert word.zh
    assert word.en


def test_progress_is_read_from_what_rsync_says() -> None:
    """rsync parts its progress by carriage returns and begins before the first per cent."""
    assert transfer.percent_done(b"") == 0
    said = b"\r         32,768   0%    0.00kB/s    0:00:00  \r        9961472  47%    9.45MB/s    0:00:01"
    assert transfer.percent_done(said.replace(b",", b"")) == 47


def test_a_long_path_does_not_hide_the_cause() -> None:
    """Folders may lie deep, and what the disk said stands at the end of rsync's line."""
    complaint = f'rsync: [receiver] open "{"/deep" * 80}" failed: Read-only file system (30)'
    _result, reason = result_of(11, complaint)
    assert ("Read-only file system (30)" in reason.en, len(reason.en) < 260) == (True, True)
