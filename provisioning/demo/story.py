"""The story that must work, played by itself: each step is done with the product's own commands and then looked for.

A step that is not seen ends the play with what was missing; nothing is taken on trust.
"""

import hashlib
import secrets
import subprocess
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from appliance.command import say
from appliance.core.errors import Text
from provisioning.demo import content, intruder
from provisioning.demo.publishing import Published, live_segments, send_schedule
from provisioning.demo.recording import recorded
from provisioning.demo.stage import Site, Stage, fetch, see, until

CHANGES_SEEN: Final = 10
OUTAGE_S: Final = 6
BULK_BYTES: Final = 96 * 1024 * 1024


def play(stage: Stage, published: Published) -> None:
    """All eight steps, in order; StageError at the first that is not seen. Up to the fifth the channel is recorded."""
    steps: tuple[tuple[Text, Callable[[Stage, Published], None]], ...] = (
        (
            Text("发布的稿件在两县页面、接口和频道上", "what was published is on both boxes' pages, API and channel"),
            published_everywhere,
        ),
        (
            Text("登封回传，进入新闻超市，中牟选用并播出", "dropped at dengfeng, offered, taken and aired at zhongmu"),
            dropped_and_taken,
        ),
        (Text("调度指令下达、应答、汇总", "an order goes out and is answered"), order_answered),
        (Text("撤稿处处生效", "a recall removes the item everywhere"), recalled_everywhere),
        (
            Text("其间频道连续播出，跨越十次换片", "meanwhile the channel has played across ten changes of clip"),
            lambda _stage, _published: recording.see(CHANGES_SEEN),
        ),
        (
            Text("嵩山云断线：照常播出，恢复后补齐", "the hub is killed: all goes on, and what waited arrives"),
            outlives_the_hub,
        ),
        (
            Text(
                "节点进程与传输被杀：不丢、不重、不残",
                "agent, web and a transfer are killed: nothing lost, doubled or half",
            ),
            survives_kills,
        ),
        (Text("越权访问一律拒绝并留痕", "another site's things are refused, and logged"), keeps_sites_apart),
    )
    with recorded(stage.sites[0], stage.folder / "recording.ts", stage.logs / "ffmpeg.log") as recording:
        for number, (text, step) in enumerate(steps, start=1):
            began = time.monotonic()
            step(stage, published)
            took = time.monotonic() - began
            say(
                Text(
                    f"  {number}/{len(steps)} 见到 {took:5.1f} 秒  {text.zh}",
                    f"  {number}/{len(steps)} seen {took:5.1f} s  {text.en}",
                )
            )


def published_everywhere(stage: Stage, published: Published) -> None:
    for site in stage.sites:
        listed = fetch(f"{site.address}/api/v1/items?per_page=50").json()["items"]
        see({item["id"] for item in listed} >= set(published.items), f"all items in the API of {site.id}")
        for section in ("news", "government", "service", "shop"):
            see(fetch(f"{site.address}/sections/{section}").status == 200, f"page of {section} at {site.id}")
        for item in published.items:
            _see_item_whole(site, item)
        until(f"every clip in the ledger of {site.channel}", lambda: _planned(stage, site) >= set(published.digests))


def dropped_and_taken(stage: Stage, published: Published) -> None:
    dengfeng, zhongmu = stage.sites
    clip = _new_clip(stage, "乡村故事")
    (dengfeng.home / "drop" / "乡村故事.mp4").write_bytes(clip.read_bytes())
    offer = until("the drop in the supermarket", lambda: _offer(stage, "乡村故事"))
    assert offer is not None, "it was waited for"
    digest = "sha256:" + hashlib.sha256(clip.read_bytes()).hexdigest()
    see(any(asset["digest"] == digest for asset in offer["assets"]), "the offer names the digest of what was dropped")
    until("the receipt at dengfeng", lambda: "accepted" in _submission_states(stage, dengfeng, digest))
    stage.box_command(zhongmu, "take", offer["id"])
    until("zhongmu serves it", lambda: fetch(f"{zhongmu.address}/api/v1/items/{offer['id']}").status == 200)
    until("zhongmu serves its media", lambda: _media_digest(zhongmu, digest) == digest)
    until("the hub lists who took it", lambda: "zhongmu" in (_offer(stage, "乡村故事") or {}).get("taken_by", ()))
    until("zhongmu has it ready for air", lambda: _is_packaged(stage, zhongmu, digest), 120)
    at = content.now_utc() + timedelta(seconds=40)
    send_schedule(
        stage, zhongmu, "zhongmu-village", content.single_entry_document(zhongmu.channel, digest, "乡村故事", at, 2)
    )
    until("it is in the ledger", lambda: _row_of(stage, zhongmu, digest))
    rendition = _row_of(stage, zhongmu, digest)["rendition"].removeprefix("sha256:")
    until("it is on the air", lambda: any(rendition in segment for segment in live_segments(zhongmu)), 90)


def order_answered(stage: Stage, _published: Published) -> None:
    dengfeng = stage.sites[0]
    order = stage.hub_command("order", dengfeng.id, "--title", "报送秋收一线画面", "--body", "今晚六点前").split()[0]
    until("the order on the box", lambda: any(o["id"] == order for o in stage.box_facts(dengfeng, "orders")["orders"]))
    stage.box_command(dengfeng, "answer", order, "accepted", "--note", "已派记者")
    answers = until("the answer at the hub", lambda: _answers(stage, order))
    see(answers[0]["answer"] == "accepted" and answers[0]["site"] == dengfeng.id, "the answer as it was given")


def recalled_everywhere(stage: Stage, published: Published) -> None:
    clip = _new_clip(stage, "误发稿件")
    digest = "sha256:" + hashlib.sha256(clip.read_bytes()).hexdigest()
    item = stage.hub_command("publish", "--to", "all", "--section", "news", "--title", "误发稿件", str(clip)).split()[0]
    for site in stage.sites:
        until(f"the item at {site.id}", lambda: fetch(f"{site.address}/api/v1/items/{item}").status == 200)
        until(f"its media at {site.id}", lambda: _media_digest(site, digest) == digest)
    dengfeng = stage.sites[0]
    at = content.now_utc() + timedelta(hours=20)
    document = content.single_entry_document(dengfeng.channel, digest, "误发稿件", at, 7)
    send_schedule(stage, dengfeng, "dengfeng-mistake", document)
    until("its coming rows", lambda: _row_of(stage, dengfeng, digest))
    stage.hub_command("recall", item, "--reason", "误发")
    for site in stage.sites:
        until(
            f"the API forgets it at {site.id}",
            lambda: fetch(f"{site.address}/api/v1/items/{item}").status in (404, 410),
        )
        see(fetch(f"{site.address}/items/{item}").status in (404, 410), f"no page at {site.id}")
        until(f"no media at {site.id}", lambda: fetch(f"{site.address}/media/{digest}").status in (404, 410))
    until("no coming rows", lambda: not _row_of(stage, dengfeng, digest))


def outlives_the_hub(stage: Stage, published: Published) -> None:
    dengfeng = stage.sites[0]
    stage.kill("hub")
    until(
        "the box knows that it is offline", lambda: stage.box_facts(dengfeng, "status")["link"]["state"] != "connected"
    )
    before = live_segments(dengfeng)
    clip = _new_clip(stage, "断线期间")
    (dengfeng.home / "drop" / "断线期间.mp4").write_bytes(clip.read_bytes())
    digest = "sha256:" + hashlib.sha256(clip.read_bytes()).hexdigest()
    until("what was dropped waits", lambda: _submission_states(stage, dengfeng, digest))
    time.sleep(OUTAGE_S)
    for site in stage.sites:
        see(fetch(f"{site.address}/").status == 200, f"page of {site.id} without the hub")
        see(fetch(f"{site.address}/api/v1/items").status == 200, f"API of {site.id} without the hub")
        see(fetch(f"{site.address}/healthz").status == 200, f"health of {site.id} without the hub")
    see(live_segments(dengfeng)[-1] not in before, "the channel goes on without the hub")
    see(not {"accepted", "refused"} & set(_submission_states(stage, dengfeng, digest)), "no receipt without a hub")
    stage.start_hub()
    until("what waited has arrived", lambda: _offer(stage, "断线期间"), 120)
    until("its receipt", lambda: "accepted" in _submission_states(stage, dengfeng, digest))


def survives_kills(stage: Stage, published: Published) -> None:
    dengfeng = stage.sites[0]
    bulk = stage.folder / "bulk.bin"
    bulk.write_bytes(secrets.token_bytes(BULK_BYTES))
    digest = "sha256:" + hashlib.sha256(bulk.read_bytes()).hexdigest()
    item = stage.hub_command(
        "publish", "--to", dengfeng.id, "--section", "service", "--title", "大文件", str(bulk)
    ).split()[0]
    staged = dengfeng.home / "media" / "incoming" / digest.removeprefix("sha256:")
    try:
        until("a transfer under way", lambda: staged.exists() and staged.stat().st_size > 0, 30)
    finally:
        stage.kill("dengfeng-agent")
        stage.kill("dengfeng-web")
    see(not _rsyncs_of(dengfeng), "no orphan of the killed agent")
    clip = _new_clip(stage, "掉电期间")
    (dengfeng.home / "drop" / "掉电期间.mp4").write_bytes(clip.read_bytes())
    stage.box_command(dengfeng, "submit", str(clip), "--title", "掉电命令")
    stage.start_web(dengfeng)
    see(bool(live_segments(dengfeng)), "the channel without an agent")
    stage.start_agent(dengfeng)
    until("the interrupted file, whole", lambda: _media_digest(dengfeng, digest) == digest, 120)
    until("the item with it", lambda: fetch(f"{dengfeng.address}/api/v1/items/{item}").status == 200)
    see(not staged.exists(), "nothing half left behind")
    until("the command of the dark hour", lambda: _offer(stage, "掉电命令"), 120)
    titles = [offer["title"] for offer in stage.hub_facts("market")["offers"]]
    for title in ("掉电命令", "断线期间", "乡村故事"):
        see(titles.count(title) == 1, f"{title} once, not doubled")
    stage.hub_command("verify")


def keeps_sites_apart(stage: Stage, _published: Published) -> None:
    dengfeng, zhongmu = stage.sites
    secret = _new_clip(stage, "只给登封")
    digest = stage.hub_command("publish", "--asset-only", "--to", dengfeng.id, str(secret)).split()[0]
    before = _refusals(stage)
    for attempt in intruder.attempts(stage.hub, stage.hub_port, zhongmu.home, digest):
        got = intruder.run(attempt)
        see(not got.succeeded, f"refused: {attempt.what} ({got.said})")
    see(_refusals(stage) > before, "the refusals are in the hub's log")


def _see_item_whole(site: Site, item: str) -> None:
    document = fetch(f"{site.address}/api/v1/items/{item}").json()
    see(fetch(f"{site.address}/items/{item}").status == 200, f"page of {item} at {site.id}")
    for asset in document["assets"]:
        until(f"media {asset['digest']} at {site.id}", lambda: _media_digest(site, asset["digest"]) == asset["digest"])


def _new_clip(stage: Stage, name: str) -> Path:
    """A clip that nobody has seen before."""
    path = stage.folder / f"{name}.mp4"
    # Never so dark that the technical check takes it for black.
    colour = f"0x80{secrets.token_hex(2)}"
    argv = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", f"color=c={colour}:size=640x360:rate=25", "-t", "4"]
    subprocess.run([*argv, "-pix_fmt", "yuv420p", "-c:v", "libx264", str(path)], check=True, timeout=60)
    return path


def _offer(stage: Stage, title: str) -> dict[str, Any] | None:
    return next((offer for offer in stage.hub_facts("market")["offers"] if offer["title"] == title), None)


def _submission_states(stage: Stage, site: Site, digest: str) -> list[str]:
    submissions = stage.box_facts(site, "status")["submissions"]
    return [submission["state"] for submission in submissions if submission["digest"] == digest]


def _is_packaged(stage: Stage, site: Site, digest: str) -> bool:
    renditions = stage.box_facts(site, "readiness", "--asset", digest)["assets"]
    return any(asset["state"] == "ready" for asset in renditions)


def _row_of(stage: Stage, site: Site, digest: str) -> dict[str, str]:
    """The first coming row of the ledger that plays this asset, {} when there is none."""
    rows = stage.box_facts(site, "ledger", site.channel)["rows"]
    return next((row for row in rows if row["source"] == digest), {})


def _planned(stage: Stage, site: Site) -> set[str]:
    """The assets that the ledger will play."""
    return {row["source"] for row in stage.box_facts(site, "ledger", site.channel)["rows"]}


def _answers(stage: Stage, order: str) -> list[dict[str, str]]:
    orders = stage.hub_facts("orders")["orders"]
    return next((entry["answers"] for entry in orders if entry["id"] == order), [])


def _media_digest(site: Site, digest: str) -> str | None:
    answer = fetch(f"{site.address}/media/{digest}")
    return "sha256:" + hashlib.sha256(answer.body).hexdigest() if answer.status == 200 else None


def _rsyncs_of(site: Site) -> list[str]:
    """Command lines of transfers that still run for this box."""
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if line.startswith("rsync") and str(site.home) in line:
            lines.append(line)
    return lines


def _refusals(stage: Stage) -> int:
    log = stage.hub / "log" / "refusals.jsonl"
    return len(log.read_text().splitlines()) if log.exists() else 0
