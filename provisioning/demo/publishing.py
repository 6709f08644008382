"""The demo's newsroom: clips, items, fillers and schedules, published at the hub as its operator would."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from provisioning.demo import clips, content
from provisioning.demo.stage import Site, Stage, fetch, playlist_lines, until

ON_AIR_TIMEOUT_S = 180


@dataclass(frozen=True)
class Published:
    """What is out: the digests of the clips in their order, and the ids of the items."""

    titles: tuple[str, ...]
    digests: tuple[str, ...]
    items: tuple[str, ...]


def publish_all(stage: Stage, given: Sequence[Path]) -> Published:
    """Bring every clip to house format once, then publish the dozen items, the fillers and the schedules."""
    titles = tuple(clip.stem for clip in given)
    digests = tuple(stage.hub_command("publish", "--asset-only", str(clip)).split()[0] for clip in given)
    items = tuple(_publish_story(stage, number, story, given) for number, story in enumerate(content.STORIES))
    for site in stage.sites:
        stage.hub_command(
            "publish", "--filler", site.channel, "--to", site.id, str(given[-1]), str(given[-2 % len(given)])
        )
        send_schedules(stage, site, digests, titles)
    return Published(titles, digests, items)


def send_schedules(stage: Stage, site: Site, digests: Sequence[str], titles: Sequence[str]) -> None:
    """Today's and tomorrow's."""
    documents = content.schedule_documents(site.channel, digests, titles, content.now_utc())
    for name, document in zip(("today", "tomorrow"), documents, strict=True):
        send_schedule(stage, site, f"{site.id}-{name}", document)


def send_schedule(stage: Stage, site: Site, name: str, document: bytes) -> None:
    """Hand a schedule file to the hub."""
    path = stage.folder / f"{name}.json"
    path.write_bytes(document)
    stage.hub_command("schedule", site.id, site.channel, str(path))


def await_on_air(stage: Stage, published: Published) -> None:
    """Until every box serves every item and its channel plays something of ours."""
    for site in stage.sites:
        for item in published.items:
            until(
                f"{item} at {site.id}",
                lambda: fetch(f"{site.address}/api/v1/items/{item}").status == 200,
                ON_AIR_TIMEOUT_S,
            )
        until(f"{site.channel} on air", lambda: live_segments(site), ON_AIR_TIMEOUT_S)


def live_segments(site: Site) -> list[str]:
    """The segment addresses that the channel lists now."""
    answer = fetch(f"{site.address}/live/{site.channel}/index.m3u8")
    return list(playlist_lines(answer.body.decode())) if answer.status == 200 else []


def _publish_story(stage: Stage, number: int, story: content.Story, given: Sequence[Path]) -> str:
    clip = given[(story.clip if story.clip is not None else number) % len(given)]
    body = stage.folder / f"story-{number}.html"
    body.write_text(story.body_html())
    picture = clips.picture_of(clip, stage.folder / f"story-{number}.jpg")
    files = [str(picture)] if story.clip is None else [str(clip), str(picture)]
    arguments = ["publish", "--to", "all", "--section", story.section, "--title", story.title]
    arguments += ["--summary", story.summary, "--body", str(body), *files]
    return stage.hub_command(*arguments).split()[0]
