"""`songshan demo`: what `make demo` runs."""

import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from appliance.command import say
from appliance.core.errors import Text
from provisioning.demo import clips, publishing, story
from provisioning.demo.stage import Site, Stage, StageError

DEFAULT_PORT = 8080
WATCH_S = 0.5


@click.command()
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="where to keep it; else a folder that is removed",
)
@click.option(
    "--port", default=DEFAULT_PORT, show_default=True, help="dengfeng's; zhongmu has the next, the hub the one after"
)
@click.option(
    "--media", type=click.Path(path_type=Path, exists=True, file_okay=False), help="a folder with your own clips"
)
@click.option("--check", is_flag=True, help="play the whole story by itself; 0 only when each step was seen")
def demo(folder: Path | None, port: int, media: Path | None, check: bool) -> None:
    """Run a hub and two county boxes here, on the air and serving the app.

    Example: songshan demo --port 9000 --media ~/clips
    """
    signal.signal(signal.SIGTERM, _interrupt)
    with _folder(folder) as home, _staged(home, port) as stage:
        published = open_house(stage, media)
        if check:
            story.play(stage, published)
            return
        _show_addresses(stage)
        _wait(stage)


def open_house(stage: Stage, media: Path | None) -> publishing.Published:
    """From an empty folder to two boxes on the air."""
    _step(Text("准备素材", "preparing clips"))
    given = clips.given_clips(media) if media else clips.own_clips(stage.folder / "clips", _quietly)
    _step(Text("建立嵩山云和两个县的节点", "making the hub and two county boxes"))
    stage.build()
    _step(
        Text(
            f"转换 {len(given)} 个素材为播出格式并发布稿件",
            f"bringing {len(given)} clips to house format, publishing items",
        )
    )
    published = publishing.publish_all(stage, given)
    _step(Text("启动节点", "starting the boxes"))
    for site in stage.sites:
        stage.start_agent(site)
    for site in stage.sites:
        stage.start_web(site)
    _step(Text("等待播出", "waiting for the air"))
    publishing.await_on_air(stage, published)
    return published


def _show_addresses(stage: Stage) -> None:
    for site in stage.sites:
        say(Text(f"{site.name}", f"{site.name} ({site.id})"))
        say(Text(f"  页面     {site.address}/", f"  page        {site.address}/"))
        say(Text(f"  频道     {site.address}/live/{site.channel}", f"  channel     {site.address}/live/{site.channel}"))
        say(Text(f"  投稿文件夹 {site.home / 'drop'}", f"  drop folder {site.home / 'drop'}"))
        say(Text(f"  技术员屏幕 songshan --home {site.home} tui", f"  screen      songshan --home {site.home} tui"))
    say(Text(f"嵩山云  songshan-hub --hub {stage.hub} fleet", f"hub  songshan-hub --hub {stage.hub} fleet"))
    say(Text("按 Ctrl-C 结束", "Ctrl-C ends it"))


def _wait(stage: Stage) -> None:
    while True:
        ended = stage.ended()
        if ended is not None:
            log = stage.logs / f"{ended}.log"
            said = log.read_text(errors="replace").strip()[-2000:]
            raise StageError(Text(f"{ended} 意外结束：{said}", f"{ended} ended by itself: {said}"))
        time.sleep(WATCH_S)


@contextmanager
def _staged(folder: Path, port: int) -> Iterator[Stage]:
    sites = (
        Site("dengfeng", "登封市融媒体中心", folder / "dengfeng", port),
        Site("zhongmu", "中牟县融媒体中心", folder / "zhongmu", port + 1),
    )
    stage = Stage(folder, port + 2, sites)
    try:
        yield stage
    except KeyboardInterrupt:
        say(Text("正在结束", "ending"))
    finally:
        stage.stop()


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="songshan-demo-") as made:
        yield Path(made)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _step(text: Text) -> None:
    say(text)
    sys.stdout.flush()


def _quietly(_said: str) -> None:
    """Clips take a moment each; the step above says so."""
