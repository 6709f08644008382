"""What a site's own key can and cannot do at the gate, with the plain ssh and rsync programs."""

import hashlib
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from appliance.core.asset import Asset
from appliance.core.errors import Text
from appliance.core.events import Asked, Greeted
from appliance.core.journal import Position
from tests.provisioning.live import LiveBox, LiveHub, until

MIB = 1024 * 1024


def put(hub: LiveHub, content: bytes, *sites: str) -> str:
    """An asset in the pile, readable by these sites; its digest."""
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    source = hub.path.parent / "source"
    source.write_bytes(content)
    hub.library.copy_in(source, 1 << 40)
    for site in sites:
        hub.library.let_read(site, (Asset(digest, len(content)),))
    return digest


def test_a_site_fetches_what_it_may_read(hub: LiveHub, dengfeng: LiveBox) -> None:
    """The bytes that come are the bytes that the digest names."""
    content = os.urandom(3 * MIB)
    assert dengfeng.fetch(put(hub, content, "dengfeng")) == content


def test_a_site_cannot_fetch_what_is_another_sites(hub: LiveHub, dengfeng: LiveBox, zhongmu: LiveBox) -> None:
    """Knowing a digest is not being allowed to read it, and the answer does not tell whether the hub has it."""
    digest = put(hub, b"for dengfeng alone", "dengfeng")
    assert dengfeng.fetch(digest) == b"for dengfeng alone"
    assert zhongmu.fetch(digest) is None
    assert (hub.refusals()[-1]["site"], digest[7:] in hub.refusals()[-1]["asked"]) == ("zhongmu", True)
    there = zhongmu.rsync(f"{zhongmu.remote}:{digest[7:]}", str(zhongmu.home))
    nowhere = zhongmu.rsync(f"{zhongmu.remote}:{'0' * 64}", str(zhongmu.home))
    assert there.stderr.replace(digest[7:].encode(), b"X") == nowhere.stderr.replace(b"0" * 64, b"X")


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/etc/passwd", ()),
        ("../../../../../../etc/passwd", ("-L",)),
        ("../../zhongmu/readable/", ("-rL",)),
        ("../../../keys/sign", ("--copy-links",)),
        (".", ("-a",)),
        ("../journal/1.records", ("--no-relative",)),
    ],
)
def test_no_other_path_is_read_through_rsync(
    hub: LiveHub, dengfeng: LiveBox, tmp_path: Path, path: str, options: tuple[str, ...]
) -> None:
    """The hub's keys and every other site's files lie a few folders away."""
    before = len(hub.refusals())
    assert dengfeng.rsync(*options, f"{dengfeng.remote}:{path}", f"{tmp_path}/").returncode != 0
    assert list(tmp_path.rglob("*")) == []
    assert len(hub.refusals()) == before + 1
    last = hub.refusals()[-1]
    assert (last["site"], last["what"], last["from"].startswith("127.0.0.1")) == ("dengfeng", "command", True)


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("/tmp/songshan-intruder", ()),
        ("../readable/x", ()),
        ("../../zhongmu/incoming/x", ("-a",)),
        ("sub/x", ("--mkpath",)),
        (".", ("-R",)),
        (".", ("--temp-dir=/tmp",)),
        (".", ("--backup-dir=/tmp", "-b")),
        (".", ("-r", "--delete")),
    ],
)
def test_nothing_is_written_outside_incoming(
    hub: LiveHub, dengfeng: LiveBox, tmp_path: Path, target: str, options: tuple[str, ...]
) -> None:
    """A site's upload must not become a hub's key or another site's asset."""
    source = tmp_path / "x"
    source.write_bytes(b"x")
    before = {path: path.stat().st_mtime_ns for path in hub.path.rglob("*") if "log" not in path.parts}
    assert dengfeng.rsync(*options, str(source), f"{dengfeng.remote}:{target}").returncode != 0
    after = {path: path.stat().st_mtime_ns for path in hub.path.rglob("*") if "log" not in path.parts}
    assert before == after
    assert not Path("/tmp/songshan-intruder").exists()


def test_links_and_special_files_do_not_come_up(hub: LiveHub, dengfeng: LiveBox, tmp_path: Path) -> None:
    """A link in the incoming folder would lead the hub's own reading out of it."""
    name = "a" * 64
    (tmp_path / name).symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / ("b" * 64))
    for options in (("-l",), ("-D",)):
        assert dengfeng.rsync(*options, str(tmp_path / name), f"{dengfeng.remote}:").returncode != 0
    dengfeng.rsync(str(tmp_path / name), str(tmp_path / ("b" * 64)), f"{dengfeng.remote}:")
    assert list(hub.folder.site("dengfeng").incoming.iterdir()) == []


def test_a_link_that_lies_in_incoming_is_neither_followed_nor_kept(
    hub: LiveHub, dengfeng: LiveBox, tmp_path: Path
) -> None:
    """However it got there: writing through it would overwrite a file of the hub, now or at a later upload."""
    name = "c" * 64
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    incoming = hub.folder.site("dengfeng").incoming
    (incoming / name).symlink_to(victim)
    (incoming / ("d" * 64)).symlink_to(victim)
    os.mkfifo(incoming / ("e" * 64))
    source = tmp_path / name
    source.write_bytes(b"written through")
    assert dengfeng.upload(source).returncode == 0
    assert victim.read_bytes() == b"untouched"
    arrived = incoming / name
    assert (arrived.is_symlink(), arrived.read_bytes()) == (False, b"written through")
    assert list(incoming.iterdir()) == [arrived]
    arrived.unlink()


@pytest.mark.parametrize("command", ["cat /etc/passwd", "", "session; id"])
def test_there_is_no_shell(hub: LiveHub, dengfeng: LiveBox, command: str) -> None:
    """The key opens what the gate offers, and each try is on record."""
    before = len(hub.refusals())
    done = dengfeng.command(command, said=b"id\n")
    assert (done.returncode, done.stdout) == (1, b"")
    assert len(hub.refusals()) == before + 1
    assert hub.refusals()[-1]["asked"] == command


def test_there_is_no_forwarding(dengfeng: LiveBox) -> None:
    """A box must not become a way into the hub's network."""
    argv = [*dengfeng.ssh(), "-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:22", dengfeng.remote, "session"]
    done = subprocess.run(argv, input=b"", capture_output=True, timeout=20, check=False)
    assert (done.returncode, b"forwarding failed" in done.stderr) == (255, True)


def test_a_session_in_another_sites_name_is_refused(hub: LiveHub, dengfeng: LiveBox) -> None:
    """The key says who it is, not the hello."""
    head = {"epoch": 1, "seq": 0, "head": "0" * 64}
    hello = {"t": "hello", "v": 1, "site": "zhongmu", "software": "x", "time": "2026-01-01T00:00:00Z", "have": {}}
    done = dengfeng.command("session", json.dumps({**hello, "offer": head}).encode() + b"\n")
    assert b'"t":"bye"' in done.stdout
    assert b'"records"' not in done.stdout
    assert hub.refusals()[-1]["what"] == "session"


def test_another_sites_stream_cannot_be_asked_for(hub: LiveHub, dengfeng: LiveBox, zhongmu: LiveBox) -> None:
    """What is meant for one county's desk is not for the next one's."""
    hub.run("order", "zhongmu", "--title", "只给中牟")
    head = {"epoch": 1, "seq": 0, "head": "0" * 64}
    for have in ({"zhongmu/control": head}, {"../x": head}):
        hello = {"t": "hello", "v": 1, "site": "dengfeng", "software": "x", "time": "2026-01-01T00:00:00Z"}
        done = dengfeng.command("session", json.dumps({**hello, "have": have, "offer": head}).encode() + b"\n")
        assert b"zhongmu/" not in done.stdout.replace(b"no business with stream", b"").split(b'"bye"')[0]
        assert hub.refusals()[-1]["what"] == "session"
    with dengfeng.session() as session:
        assert set(session.wait(Greeted).heads) == {
            f"{scope}/{name}" for scope in ("all", "dengfeng") for name in ("control", "content")
        }


@pytest.mark.parametrize(
    "said",
    [b"GET / HTTP/1.1\r\n\r\n", b"{}\n", b"[" * 100_000 + b"\n", b"\xff\xfe\n", b'{"t":"bye"}\n', b"x" * 5 * MIB],
    ids=["http", "object", "deep", "latin", "early", "long"],
)
def test_garbage_ends_the_session_and_is_logged(hub: LiveHub, dengfeng: LiveBox, said: bytes) -> None:
    """A peer that does not speak the protocol is let go at once, bounded in what it may pile up."""
    before = len(hub.refusals())
    done = dengfeng.command("session", said)
    assert b'"t":"bye"' in done.stdout
    assert len(hub.refusals()) == before + 1


def test_an_upload_goes_on_after_kill_of_both_ends(hub: LiveHub, dengfeng: LiveBox, tmp_path: Path) -> None:
    """A power cut in the middle of a big clip must not send it all again."""
    content = os.urandom(24 * MIB)
    name = hashlib.sha256(content).hexdigest()
    source = tmp_path / name
    source.write_bytes(content)
    arrived = hub.folder.site("dengfeng").incoming / name
    target = f"{dengfeng.remote}:"
    argv = dengfeng.rsync_argv("--inplace", "--partial", "--bwlimit=8000", "--whole-file", str(source), target)
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as sender:
        until(lambda: arrived.exists() and arrived.stat().st_size > 4 * MIB)
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            line = process.read_bytes() if process.exists() else b""
            if b"--server" in line and str(arrived.parent).encode() in os.readlink(process.with_name("cwd")).encode():
                os.kill(int(process.parent.name), signal.SIGKILL)
        os.killpg(sender.pid, signal.SIGKILL)
    kept = arrived.stat().st_size
    assert 4 * MIB < kept < 24 * MIB
    done = dengfeng.rsync("--inplace", "--partial", "--stats", "--no-whole-file", str(source), target)
    assert done.returncode == 0, done.stderr
    assert arrived.read_bytes() == content
    sent = next(int(line.split()[2].replace(b",", b"")) for line in done.stdout.splitlines() if b"Literal data" in line)
    assert sent <= 24 * MIB - kept + MIB
    arrived.unlink()


def test_a_file_larger_than_the_hub_takes_does_not_come_up(tmp_path: Path) -> None:
    """A site must not be able to fill the hub's disk with one file, or with many."""
    live = LiveHub(tmp_path / "hub")
    live.run("init")
    settings = live.path / "hub.toml"
    settings.write_text(
        settings.read_text().replace(str(64 * 1024**3), str(2 * MIB)).replace("uploads_max = 64", "uploads_max = 2")
    )
    live.serve()
    try:
        box = live.box("dengfeng", tmp_path / "dengfeng")
        incoming = live.folder.site("dengfeng").incoming
        large = tmp_path / ("1" * 64)
        large.write_bytes(bytes(3 * MIB))
        assert box.upload(large).returncode != 0
        assert (incoming / large.name).stat().st_size <= 2 * MIB
        small = tmp_path / ("2" * 64)
        small.write_bytes(b"x")
        assert box.upload(small).returncode == 0
        third = tmp_path / ("3" * 64)
        third.write_bytes(b"x")
        assert box.upload(third).returncode != 0
        assert (live.refusals()[-1]["reason"]["en"], (incoming / third.name).exists()) == (
            "too many files wait to be accepted",
            False,
        )
    finally:
        live.end()


def test_a_running_transfer_ends_when_the_site_is_revoked(hub: LiveHub, tmp_path: Path) -> None:
    """Gigabytes must not go on flowing to a box that was stolen an hour ago."""
    box = hub.box("xinzheng", tmp_path / "xinzheng")
    digest = put(hub, os.urandom(40 * MIB), "xinzheng")
    argv = box.rsync_argv("--bwlimit=2000", f"{box.remote}:{digest[7:]}", str(tmp_path / "got"))
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as receiver:
        until(lambda: list(tmp_path.glob(".got*")))
        hub.run("revoke", "xinzheng")
        assert receiver.wait(15) != 0


def test_the_english_and_the_chinese_reason_are_both_logged(hub: LiveHub, dengfeng: LiveBox) -> None:
    """Whoever reads the log reads one of the two."""
    dengfeng.command("sh")
    reason = hub.refusals()[-1]["reason"]
    assert Text(**reason) == Text("不提供此操作", "this is not offered here")


def test_a_box_that_stands_where_the_hub_never_was_is_asked_what_it_holds(hub: LiveHub, dengfeng: LiveBox) -> None:
    """A hub that came back from a backup cannot go on as if nothing had been; it asks from where it stands now."""
    elsewhere = Position("all/control", 1, 99, "a" * 64)
    hub.run("order", "all", "--title", "x")
    with dengfeng.session(**{"all/control": elsewhere}) as session:
        asked = session.wait(Asked, lambda event: event.stream == "all/control")
    assert asked.trail[0] == hub.journals.stream("all/control").position()
    assert hub.refusals()[-1]["asked"] == "all/control 1:99"
