"""What is on the air in a trial: three short clips, in house format already.

They are drawn and encoded here and once: an emulated processor takes minutes for a second of video. The hub finds them
in house format and airs them as they are (docs/formats.md, section 7).
"""

import subprocess
from pathlib import Path
from typing import Final

from appliance.packaging import package
from provisioning.demo import content
from tests.machines.pair import CHANNEL, SITE, Pair
from tests.machines.places import BUILD

CLIPS: Final = {"早间新闻": ("testsrc2", 8), "郑州天气": ("smptehdbars", 6), "嵩山风光": ("rgbtestsrc", 10)}
_FOLDER: Final = BUILD / "clips-1"
_ENCODE_S_MAX: Final = 300
_THERE: Final = "/var/tmp/clips"


def clips() -> dict[str, Path]:
    """Title and file of each, made where it is not there."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    return {title: _clip(f"clip{number}", *CLIPS[title]) for number, title in enumerate(CLIPS, start=1)}


def _clip(name: str, picture: str, seconds: int) -> Path:
    path = _FOLDER / f"{name}.ts"
    if path.exists():
        return path
    drawn = path.with_suffix(".mp4")
    words = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", f"{picture}=size=1280x720:rate=25:duration={seconds}"]
    words += ["-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}", "-c:v", "libx264", "-preset", "ultrafast"]
    words += ["-pix_fmt", "yuv420p", "-c:a", "aac", str(drawn)]
    subprocess.run(words, check=True, timeout=_ENCODE_S_MAX, stdin=subprocess.DEVNULL)
    package(drawn, path)
    drawn.unlink()
    return path


def publish(pair: Pair) -> list[str]:
    """The hub's operator publishes clips, fillers, the schedules of today and tomorrow. Returns the clips' digests."""
    given = clips()
    pair.hub.shell.run(f"rm -rf {_THERE} && mkdir -m 755 {_THERE}")
    for path in given.values():
        pair.hub.shell.put(path, f"{_THERE}/")
    files = [f"{_THERE}/{path.name}" for path in given.values()]
    told = pair.hub_command("publish", "--asset-only", *files).out
    told = pair.hub_command("publish", "--asset-only", *files).out
    digests = [line.split()[0] for line in told.splitlines() if line]
    pair.hub_command("publish", "--filler", CHANNEL, "--to", SITE, files[-1])
    schedules(pair, digests)
    return digests


def schedules(pair: Pair, digests: list[str]) -> None:
    """Today's and tomorrow's: clips and fillers, a hard start every five minutes."""
    days = content.schedule_documents(CHANNEL, digests, list(CLIPS), content.now_utc())
    for number, document in enumerate(days):
        path = f"{_THERE}/day{number}.json"
        pair.hub.shell.write(path, document.decode())
        pair.hub_command("schedule", SITE, CHANNEL, path)
