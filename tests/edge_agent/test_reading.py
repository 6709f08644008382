"""Reading files through: what is taken for what it says, what is not, and the same answers from a process."""

import secrets
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from appliance import files
from appliance.config import Config, render
from appliance.core.asset import hex_of
from edge_agent.boot import environ_of
from edge_agent.reading import Reading, answer, argv, read
from tests.appliance.boxes import box
from tests.appliance.clips import make, packaged


@pytest.fixture
def config(tmp_path: Path) -> Config:
    made = box(tmp_path / "box", hub=None)
    files.make_folders(made)
    (made.home / "appliance.toml").write_text(render(made))
    return made


def staged(config: Config, data: bytes, digest: str | None = None) -> str:
    digest = digest or f"sha256:{sha256(data).hexdigest()}"
    files.stage_path(config, digest).write_bytes(data)
    return digest


def test_a_staged_file_becomes_an_asset(config: Config) -> None:
    """What was fetched counts only when its bytes are what its name says."""
    digest = staged(config, b"right")
    assert read(config, ["adopt", digest]) == Reading("done", digest, 5)
    assert files.path_of(config, digest).read_bytes() == b"right"
    wrong = staged(config, b"wrong", "sha256:" + "0" * 64)
    assert read(config, ["adopt", wrong]).verdict == "corrupt"
    assert not files.is_there(config, wrong)
    assert (config.quarantine / hex_of(wrong)).read_bytes() == b"wrong"


def test_a_rendition_brings_its_table(config: Config) -> None:
    """Without the table of its segments nothing of it could be served."""
    made, data = packaged("small")
    done = read(config, ["adopt-rendition", staged(config, data)])
    assert (done.verdict, done.frames, done.segments) == ("done", made.rendition.frames, made.segments)
    assert read(config, ["adopt-rendition", staged(config, secrets.token_bytes(5000))]).verdict == "refused"


def test_a_process_answers_as_a_call_does(config: Config) -> None:
    """Large files are read in a process of their own; what comes of it must not depend on the size."""
    digest = staged(config, b"right")
    done = subprocess.run(
        argv("adopt", digest),
        capture_output=True,
        timeout=30,
        check=False,
        env=environ_of(config, {"PATH": "/usr/bin"}),
    )
    assert answer(done.returncode, done.stdout, done.stderr.decode()) == Reading("done", digest, 5)


def test_a_process_that_dies_is_a_failure_with_its_last_word() -> None:
    """The out-of-memory killer leaves no answer."""
    dead = subprocess.run([sys.executable, "-c", "raise SystemExit('no memory')"], capture_output=True, check=False)
    read_ = answer(dead.returncode, dead.stdout, dead.stderr.decode())
    assert (read_.verdict, read_.reason and "no memory" in read_.reason.en) == ("failed", True)


def test_what_a_person_gives_is_what_it_says_or_is_refused(config: Config, tmp_path: Path) -> None:
    """A clip, a picture and a text are told apart by what they hold; a picture called a clip is a mistake."""
    clip = make("told.mp4", video="testsrc=s=320x240:r=25:d=2", audio="sine=d=2").read_bytes()
    sound = make("told.mp3", audio="sine=d=2").read_bytes()
    png = b"\x89PNG\r\n\x1a\n" + bytes(100)
    given = {
        "a.mp4": (clip, "done", "video"),
        "b.mp3": (sound, "done", "audio"),
        "sound only.mp4": (sound, "done", "audio"),
        "c.png": (png, "done", "picture"),
        "d.txt": ("嵩山".encode(), "done", "file"),
        "picture.mp4": (png, "refused", ""),
        "half.mp4": (clip[: len(clip) // 2], "refused", ""),
        "noise.mp4": (secrets.token_bytes(1000), "refused", ""),
        "list.mp4": (b"ffconcat version 1.0\nfile /etc/passwd\n", "refused", ""),
        "empty.mp4": (b"", "refused", ""),
    }
    for name, (data, verdict, role) in given.items():
        source = tmp_path / name
        source.write_bytes(data)
        taken = read(config, ["drop", str(source)])
        assert taken.verdict == verdict, (name, taken)
        assert not role or taken.role == role, (name, taken)
        assert source.read_bytes() == data, "a copy is taken; the original stays until it is on record"


def test_a_clip_with_its_index_in_front_that_was_cut_off_is_found(config: Config, tmp_path: Path) -> None:
    """ffprobe is content with the index; the missing half would be seen by the viewers."""
    whole = make("front.mp4", video="testsrc2=s=320x240:r=25:d=4", options=("-movflags", "+faststart")).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    taken = read(config, ["drop", str(cut)])
    assert (taken.verdict, taken.reason and taken.reason.en) == ("refused", "the file is cut off")
    cut.write_bytes(whole)
    assert read(config, ["drop", str(cut)]).verdict == "done"


def test_no_link_is_followed_even_when_it_came_in_between(config: Config, tmp_path: Path) -> None:
    """Between the look and the reading somebody may have put a link to the box's keys there."""
    secret = tmp_path / "secret"
    secret.write_text("key")
    (tmp_path / "link.txt").symlink_to(secret)
    assert read(config, ["drop", str(tmp_path / "link.txt")]).verdict == "refused"
    assert list(files.held(config)) == []


def test_an_answer_travels_whole() -> None:
    """Tables are bytes; JSON is not."""
    told = Reading("done", "sha256:" + "0" * 64, 9, segments=bytes(range(256)), frames=50)
    assert answer(0, b"noise\n" + msgspec.json.encode(told) + b"\n", "") == told
