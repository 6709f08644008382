"""Clips for a demo without anybody's media: drawn and sounded by ffmpeg, all unlike each other."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.core.errors import OperatorError, Text

ENCODE_TIMEOUT_S: Final = 120
MEDIA_SUFFIXES: Final = frozenset({".mp4", ".mov", ".mkv", ".ts", ".mpg", ".webm", ".m4v"})
CLIPS_MAX: Final = 24


@dataclass(frozen=True)
class Recipe:
    """What ffmpeg draws, at which size and rate, and the note it hums (None: no sound at all)."""

    name: str
    source: str
    size: str
    rate: str
    seconds: int
    note_hz: int | None


RECIPES: Final = (
    Recipe("早间新闻", "testsrc2", "1280x720", "25", 12, 440),
    Recipe("嵩山风光", "mandelbrot", "640x360", "25", 9, None),
    Recipe("天气预报", "smptehdbars", "1920x1080", "25", 7, 523),
    Recipe("农时农事", "life=mold=10:life_color=#7ab87a:death_color=#335533", "640x272", "30000/1001", 8, None),
    Recipe("便民提示", "rgbtestsrc", "720x576", "25", 5, 330),
    Recipe("豫剧选段", "gradients=nb_colors=4:seed=7", "176x144", "24", 10, 587),
)


def own_clips(folder: Path, said: Callable[[str], None]) -> list[Path]:
    """Make the six clips of the demo in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    clips = []
    for number, recipe in enumerate(RECIPES, start=1):
        said(f"{number}/{len(RECIPES)} {recipe.name}")
        path = folder / f"{recipe.name}.mp4"
        subprocess.run(clip_argv(recipe, path), check=True, timeout=ENCODE_TIMEOUT_S, stdin=subprocess.DEVNULL)
        clips.append(path)
    return clips


def clip_argv(recipe: Recipe, path: Path) -> list[str]:
    """How one clip is made."""
    options = "&" if "=" in recipe.source else "="
    picture = f"{recipe.source}{options.replace('&', ':')}size={recipe.size}:rate={recipe.rate}"
    argv = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", picture]
    if recipe.note_hz is not None:
        argv += ["-f", "lavfi", "-i", f"sine=frequency={recipe.note_hz}:sample_rate=44100"]
    argv += ["-t", str(recipe.seconds), "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast"]
    if recipe.note_hz is not None:
        argv += ["-c:a", "aac", "-shortest"]
    return [*argv, str(path)]


def picture_of(clip: Path, picture: Path) -> Path:
    """One frame of a clip as a JPEG, for an item without a video."""
    subprocess.run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-y",
            "-ss",
            "1",
            "-i",
            str(clip),
            "-frames:v",
            "1",
            "-vf",
            "scale=960:-2",
            str(picture),
        ],
        check=True,
        timeout=ENCODE_TIMEOUT_S,
        stdin=subprocess.DEVNULL,
    )
    return picture


def given_clips(folder: Path) -> list[Path]:
    """The user's own clips, at most CLIPS_MAX of them, by name."""
    clips = sorted(path for path in folder.iterdir() if path.suffix.lower() in MEDIA_SUFFIXES and path.is_file())
    if not clips:
        raise OperatorError(
            Text(f"{folder} 里没有视频文件", f"no video file in {folder}"),
            hint=Text("放入 mp4 等文件后再试", "put mp4 files or the like there and try again"),
        )
    return clips[:CLIPS_MAX]
