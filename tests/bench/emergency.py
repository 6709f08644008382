"""From a person's command to the screen: how long an emergency insertion takes, on the modulator's output, in HLS."""

import subprocess
import time
from collections.abc import Callable, Iterator
from statistics import median

from appliance.config import Config, load
from appliance.core.ts import TARGET_DURATION_S
from appliance.files import path_of
from appliance.store.database import first, reading
from provisioning.demo import publishing
from provisioning.demo.stage import Site, Stage, program, until
from tests.appliance.playout.receivers import free_udp_port
from tests.bench.output import hearing
from tests.bench.row import Row

ROUNDS = 7
HELD_BACK = 3
"""Segments before the list's end at which players begin (RFC 8216, section 6.3.3)."""
ALERT_S = 8


def rows(stage: Stage, *, quick: bool) -> Iterator[Row]:
    """By the command on the box, then by the hub's, which crosses the line."""
    site = stage.sites[0]
    address = f"127.0.0.1:{free_udp_port()}"
    _with_output(stage, site, address)
    digest, rendition = _alert(stage, site)
    data = path_of(_config(site), rendition).read_bytes()
    wanted = data[data.index(b"\x00\x00\x01\x65") :][:120]
    ways: dict[str, Callable[[], object]] = {
        "songshan air insert": lambda: stage.box_command(site, "air", "insert", site.channel, digest),
        "songshan-hub insert": lambda: stage.hub_command("insert", site.id, site.channel, digest),
    }
    for name, insert in ways.items():
        udp, listed = [], []
        for number in range(2 if quick else ROUNDS):
            # Wherever in a segment it comes: the rounds are spread over one.
            time.sleep(number * TARGET_DURATION_S / ROUNDS)
            on_udp_s, in_list_s = _once(stage, site, address, wanted, rendition, insert)
            udp.append(on_udp_s)
            listed.append(in_list_s)
        screen = [seconds + HELD_BACK * TARGET_DURATION_S for seconds in listed]
        yield Row(
            f"`{name}` to the first packet on UDP, {len(udp)} times",
            f"{median(udp):.1f} s ({min(udp):.1f} … {max(udp):.1f})",
            f"HLS: listed {median(listed):.1f} s ({min(listed):.1f} … {max(listed):.1f})",
            figures={"udp_s": udp, "hls_listed_s": listed},
        )
        yield Row(
            "the same, to the screen",
            f"{median(udp) + 1:.1f} s",
            f"HLS, players {HELD_BACK} segments behind: {median(screen):.1f} s",
            f"<= {2 * HELD_BACK * TARGET_DURATION_S} s",
            max(screen) <= 2 * HELD_BACK * TARGET_DURATION_S,
        )


def _once(
    stage: Stage, site: Site, address: str, wanted: bytes, rendition: str, insert: Callable[[], object]
) -> tuple[float, float]:
    """Seconds from the command's start to the first packet, and to the first line of the list."""
    with hearing(address, wanted) as seen:
        hexadecimal, before = rendition.removeprefix("sha256:"), set(publishing.live_segments(site))
        began = time.time()
        insert()
        new = lambda: set(publishing.live_segments(site)) - before  # noqa: E731
        until("it is listed", lambda: any(hexadecimal in line for line in new()), 60)
        listed = time.time()
        until("it is on the output", lambda: seen, 60)
        stage.box_command(site, "air", "resume", site.channel)
        until("the channel is back", lambda: not _is_broken_into(stage, site), 60)
        return seen[0] - began, listed - began


def _is_broken_into(stage: Stage, site: Site) -> bool:
    return any(row["kind"] == "emergency" for row in stage.box_facts(site, "status")["on_air"])


def _with_output(stage: Stage, site: Site, address: str) -> None:
    """Give the box's channel an output, and send it; the other parts are started anew with the config."""
    config = site.home / "appliance.toml"
    config.write_text(f'{config.read_text().rstrip()}\nudp = "{address}"\n')
    for name in ("agent", "web"):
        stage.kill(f"{site.id}-{name}")
    stage.start_agent(site)
    stage.start_web(site)
    stage.start(f"{site.id}-playout", program("songshan"), "--home", str(site.home), "playout", site.channel)
    until("a sender", lambda: stage.box_facts(site, "status")["outputs"][0]["sender"], 60)


def _alert(stage: Stage, site: Site) -> tuple[str, str]:
    """A clip of its own, on the box and in house format: its digest and its rendition's."""
    clip = stage.folder / "alert.mp4"
    source = [
        "-f",
        "lavfi",
        "-i",
        f"testsrc2=s=640x360:r=25:d={ALERT_S}",
        "-f",
        "lavfi",
        "-i",
        f"sine=f=990:d={ALERT_S}",
    ]
    subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", *source, "-preset", "ultrafast", "-pix_fmt", "yuv420p", str(clip)],
        check=True,
        timeout=60,
    )
    stage.hub_command("publish", "--to", site.id, "--title", "防汛预警", str(clip))
    digest = stage.hub_command("publish", "--asset-only", str(clip)).split()[0]

    def ready() -> str | None:
        facts = stage.box_facts(site, "readiness", "--asset", digest)["assets"][0]
        return _rendition(site, digest) if facts["state"] == "ready" else None

    rendition = until("the alert is on the box", ready, 120)
    assert rendition is not None
    return digest, rendition


def _rendition(site: Site, digest: str) -> str | None:
    with reading(_config(site).database) as db:
        row = first(db, "SELECT digest FROM renditions WHERE source = ? AND state = 'here'", (digest,))
    return str(row["digest"]) if row else None


def _config(site: Site) -> Config:
    return load(site.home, {})
