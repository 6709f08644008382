"""Packaging in a sandbox of its own: who does it gets two open files and no path; who asks has the same either way."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.appliance import clips

ROOT = Path(__file__).parents[2]
SONGSHAN = Path(sys.executable).with_name("songshan")


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """What systemd does with songshan-transcode.socket."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        server.settimeout(60)
        yield server


def asking(source: Path, out: Path, path: Path) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "appliance.packager", str(source), str(out), "-24", str(path)]
    return subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def transcoding(server: socket.socket, *before: str) -> subprocess.Popen[bytes]:
    connection, _ = server.accept()
    with connection:
        return subprocess.Popen([*before, str(SONGSHAN), "transcode"], stdin=connection, stdout=connection)


def as_nobody() -> tuple[str, ...]:
    """Where this may be had: a user that owns nothing, as systemd makes one up."""
    folders = [*Path(sys.executable).resolve().parents, *SONGSHAN.parents, *ROOT.parents, ROOT]
    if os.geteuid() != 0 or any(not folder.stat().st_mode & 0o001 for folder in folders):
        return ()
    return ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")


def test_a_transcoder_gives_the_same_as_one_does_oneself(tmp_path: Path) -> None:
    """It needs to reach neither the clip's folder nor that of the result; the answer is the same to the byte."""
    made, data = clips.packaged("small")
    source = tmp_path / "clip"
    source.write_bytes(clips.clip("small").read_bytes())
    source.chmod(0o444)
    tmp_path.chmod(0o700)
    out = tmp_path / "out.ts"
    with listening(tmp_path / "socket") as server:
        client = asking(source, out, tmp_path / "socket")
        worker = transcoding(server, *as_nobody())
        said, complained = client.communicate(timeout=120)
    assert (client.returncode, worker.wait(30), complained) == (0, 0, b"")
    last = json.loads(said.splitlines()[-1])
    assert last["rendition"]["digest"] == made.rendition.digest
    assert out.read_bytes() == data
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip", "out.ts", "socket"]


def test_a_refusal_comes_through(tmp_path: Path) -> None:
    """With its findings; and nothing is left."""
    source, out = tmp_path / "empty.mp4", tmp_path / "out.ts"
    source.touch()
    with listening(tmp_path / "socket") as server:
        client = asking(source, out, tmp_path / "socket")
        transcoding(server).wait(60)
        said, _ = client.communicate(timeout=60)
    last = json.loads(said.splitlines()[-1])
    assert (client.returncode, last["refused"]["en"]) == (1, "the file is empty")
    assert last["check"]["findings"][0]["code"] == "empty"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.mp4", "socket"]


def test_where_none_listens_it_is_done_here(tmp_path: Path) -> None:
    """A socket that nobody serves any more must not stop the county's programmes."""
    with listening(tmp_path / "stale"):
        pass
    for path in (tmp_path / "stale", tmp_path / "none"):
        client = asking(clips.clip("small"), tmp_path / "out.ts", path)
        said, _ = client.communicate(timeout=120)
        assert json.loads(said.splitlines()[-1])["rendition"]["frames"] == 100


def test_a_transcoder_that_dies_is_a_failure_and_no_refusal(tmp_path: Path) -> None:
    """It ran out of memory, perhaps: the clip is tried again, and there is no half file."""
    long = clips.make("hour.mp4", video="testsrc2=s=320x240:r=25:d=60")
    with listening(tmp_path / "socket") as server:
        client = asking(long, tmp_path / "out.ts", tmp_path / "socket")
        worker = transcoding(server)
        assert client.stdout is not None and b"progress" in client.stdout.readline()
        worker.kill()
        worker.wait(10)
        said, _ = client.communicate(timeout=60)
    assert "failed" in json.loads(said.splitlines()[-1])
    assert [path.name for path in tmp_path.iterdir()] == ["socket"]


def test_a_transcoder_ends_when_nobody_waits_any_more(tmp_path: Path) -> None:
    """An agent that is restarted must not find its processor taken by what it began before."""
    long = clips.make("hour.mp4", video="testsrc2=s=320x240:r=25:d=60")
    with listening(tmp_path / "socket") as server:
        client = asking(long, tmp_path / "out.ts", tmp_path / "socket")
        worker = transcoding(server)
        assert client.stdout is not None and client.stdout.readline()
        client.send_signal(signal.SIGKILL)
        client.communicate(timeout=30)
        try:
            assert worker.wait(60) != 0
        finally:
            worker.kill()


def test_the_packager_gives_up_the_network() -> None:
    """Whatever a clip makes ffmpeg do, there is nobody to be reached."""
    program = (
        "from appliance.packager import leave_network; print(leave_network()); print(open('/proc/net/dev').read())"
    )
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    left, *interfaces = said.stdout.splitlines()
    if left != "True":
        pytest.skip("the kernel lets nobody make a namespace here")
    assert [line.split(":")[0].strip() for line in interfaces if ":" in line] == ["lo"]
