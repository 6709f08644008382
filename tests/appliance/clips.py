"""Clips to test with, made on the spot or real where there are some, and brought to house format once per run."""

import fcntl
import functools
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from appliance import packaging, slate
from appliance.core import ts

REAL = Path(__file__).parents[3] / "shared" / "media"
"""Real clips lie beside the repository where it was set up for it; what is made here stands in for them elsewhere."""
MADE = {
    "long": ("testsrc2=s=640x272:r=25:d=8.2", "sine=f=330:r=44100:d=8.2"),
    "small": ("testsrc=s=176x144:r=30000/1001:d=4.004", None),
    "odd": ("mandelbrot=s=320x240:r=50:end_pts=200,trim=duration=3.33", "sine=f=880:r=48000:d=3.1"),
}

DENSE = "dense"
"""Noise, which takes all the bits that the encoder may spend; not among the `names`."""
_NOISE = ("color=gray:s=640x360:r=25:d=4,noise=alls=100:allf=t", "sine=f=220:r=48000:d=4")


_KEPT: list[tempfile.TemporaryDirectory[str]] = []
_RUN: list[Path] = []


def share(run: Path) -> None:
    """Keep the clips in a folder of all processes of this run: who needs one first makes it, and it stays as it is."""
    run.mkdir(exist_ok=True)
    _RUN[:] = [run]


@functools.cache
def folder() -> Path:
    """This process's own; lives as long as the process."""
    made = tempfile.TemporaryDirectory()
    _KEPT.append(made)
    return Path(made.name)


@contextmanager
def _of_the_run() -> Iterator[Path]:
    """The folder in which clips are kept, for one process at a time."""
    kept = _RUN[0] if _RUN else folder()
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield kept


@functools.cache
def clip(name: str) -> Path:
    """One of MADE, DENSE, or a real clip by its file name."""
    if name not in MADE and name != DENSE:
        return REAL / name
    video, audio = _NOISE if name == DENSE else MADE[name]
    with _of_the_run() as kept:
        path = kept / f"{name}.mp4"
        if not path.exists():
            make(f"half-{name}.mp4", video=video, audio=audio, into=kept).replace(path)
    return path


@functools.cache
def names() -> tuple[str, ...]:
    return (*MADE, *sorted(path.name for path in REAL.glob("*.mp4")))


@functools.cache
def packaged(name: str) -> tuple[packaging.Packaged, bytes]:
    """The clip in house format, and its bytes."""
    source = clip(name)
    with _of_the_run() as kept:
        out, told = kept / f"{name}.ts", kept / f"{name}.json"
        if not told.exists():
            told.write_bytes(msgspec.json.encode(packaging.package(source, out)))
        return msgspec.json.decode(told.read_bytes(), type=packaging.Packaged), out.read_bytes()


@functools.cache
def segments(name: str) -> tuple[bytes, ...]:
    """The segments of a clip in house format; of the slate when it is called so."""
    data = slate.slate_path().read_bytes() if name == "slate" else packaged(name)[1]
    return tuple(data[one.offset : one.offset + one.size_bytes] for one in ts.index(data))


def make(
    name: str,
    *,
    video: str | None = None,
    audio: str | None = None,
    options: tuple[str, ...] = (),
    into: Path | None = None,
) -> Path:
    """A clip from ffmpeg's sources; the container is told by the name."""
    path = (into or folder()) / name
    inputs = [part for source in (video, audio) if source for part in ("-f", "lavfi", "-i", source)]
    argv = ["ffmpeg", "-nostdin", "-v", "error", "-y", *inputs, "-preset", "ultrafast", "-pix_fmt", "yuv420p", *options]
    if video is None:
        argv = ["ffmpeg", "-nostdin", "-v", "error", "-y", *inputs, *options]
    subprocess.run([*argv, str(path)], check=True, timeout=120)
    return path
