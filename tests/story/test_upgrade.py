"""A box is upgraded, refuses a bad release and goes back when asked, all while its channel is sent to a modulator."""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from appliance import files, releases, senders, spool
from appliance.config import ChannelConfig, Config, render
from appliance.core.release import Release, Request, Upgrade
from appliance.senders import Sender
from appliance.store.database import reading, rows
from appliance.store.facts import look
from provisioning.identity import make_key_files
from tests.appliance.boxes import box
from tests.appliance.playout.receivers import Receiver, end, free_udp_port, playout, receiving
from tests.appliance.playout.test_sender import until
from tests.ports import free_ports

pytestmark = pytest.mark.serial
CHANNEL = "dengfeng-1"
SONGSHAN = str(Path(sys.executable).with_name("songshan"))
UNITS = """#!/bin/sh
# restart|stop|reset-failed UNIT: what systemd does with the two units, from the release that the link names
case $1 in restart|stop) ;; *) exit 0 ;; esac
case $2 in songshan-agent.service) what=agent ;; *) what=web ;; esac
is_there() { [ -d "/proc/$1" ] && ! grep -q '^State:.[ZX]' "/proc/$1/status"; }
if [ -f "$0.$what" ]; then
    pid=$(cat "$0.$what")
    kill "$pid" 2>/dev/null
    for _try in $(seq 600); do is_there "$pid" || break; sleep 0.05; done
fi
[ "$1" = stop ] && exit 0
setsid "HOME/opt/current/bin/songshan" --home "HOME" $what >>"$0.$what.log" 2>&1 </dev/null &
echo $! >"$0.$what"
"""


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Config]:
    """A box that stands alone, on the air, with agent and web server of release 1.0 running."""
    channel = ChannelConfig(CHANNEL, "登封综合", udp=f"127.0.0.1:{free_udp_port()}")
    made = box(tmp_path / "box", hub=None)
    config = replace(made, channels=(channel,), web_bind=f"127.0.0.1:{free_ports(1)[0]}")
    files.make_folders(config)
    spool.make_folders(config)
    (config.home / "appliance.toml").write_text(render(config))
    make_key_files(config.sign_key, "sign")
    for version in ("1.0", "1.1"):
        install(config, version, f'exec {SONGSHAN} "$@"')
    releases.point(config, "current", "1.0")
    units = tmp_path / "units"
    units.write_text(UNITS.replace("HOME", str(config.home)))
    units.chmod(0o755)
    for unit in ("songshan-agent.service", "songshan-web.service"):
        subprocess.run([units, "restart", unit], check=True, timeout=60)
    try:
        until("a box that is well", lambda: is_well(config))
        yield config
    finally:
        for unit in ("songshan-agent.service", "songshan-web.service"):
            subprocess.run([units, "stop", unit], check=True, timeout=60)


def install(config: Config, version: str, program: str) -> None:
    """A release as it was set up by hand: a program, and the mark that it is whole."""
    path = releases.program(config, version)
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\n{program}\n")
    path.chmod(0o755)
    (path.parent.parent / releases.MARK).write_bytes(msgspec.json.encode(Release(version=version)))


def is_well(config: Config) -> bool:
    """Agent and web server run, and the channel is committed ahead."""
    seen = look(config, time.time_ns() // 1000)
    ahead = [each.ledger_until_us for each in seen.on_air]
    return seen.agent.state == "running" and bool(ahead and ahead[0]) and answer(config) == 200


def answer(config: Config) -> int | None:
    host, _colon, port = config.web_bind.rpartition(":")
    try:
        with closing(http.client.HTTPConnection(host, int(port), timeout=5)) as line:
            line.request("GET", f"/live/{CHANNEL}/index.m3u8")
            return line.getresponse().status
    except OSError:
        return None


def upgrade(config: Config, *arguments: str, within: str = "60") -> tuple[int, dict[str, object]]:
    """`songshan upgrade`, as a technician gives it."""
    gate = ["--systemctl", str(config.home.parent / "units"), "--looks", "2", "--look-every", "0.2", "--within", within]
    done = subprocess.run(
        [SONGSHAN, "--home", config.home, "upgrade", *gate, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "SONGSHAN_LANG": "en"},
    )
    return done.returncode, json.loads(done.stdout or "{}")


def stage(config: Config, version: str) -> None:
    before = releases.journal(config)
    releases.keep(config, Upgrade(state="staged", new=version, undo=before.undo, past=before.past))


@pytest.fixture
def modulator(config: Config) -> Iterator[Receiver]:
    with receiving(config.channels[0].udp) as receiver:
        sender = playout(config.home, CHANNEL)
        try:
            until("pictures", lambda: len(receiver.pictures()) > 25)
            yield receiver
            assert sender.poll() is None, "the sender is the one that was there before"
        finally:
            end(sender)


def test_the_air_goes_on_through_upgrade_bad_release_and_rollback(config: Config, modulator: Receiver) -> None:
    """What the modulator gets has no seam, while agent and web server change their release three times over."""
    since_us = time.time_ns() // 1000
    stage(config, "1.1")
    status, told = upgrade(config, "apply", "--reason", "月度升级", "--json")
    assert (status, told["state"], told["next_boot"]) == (0, "committed", "1.1")
    assert [(each["name"], each["good"]) for each in told["signals"]] == [  # type: ignore[index,attr-defined]
        (name, True) for name in ("air", "api", "tick", "disk", "clock")
    ]
    install(config, "1.2", "exit 1")
    stage(config, "1.2")
    status, told = upgrade(config, "apply", "--reason", "坏版本", "--json", within="2")
    assert (status, told["state"], told["next_boot"]) == (1, "rolled_back", "1.1")
    until("a box that is well again", lambda: is_well(config))
    status, told = upgrade(config, "status", "--json")
    assert (status, told["next_boot"], told["can_roll_back"]) == (0, "1.1", True)
    assert [each["outcome"] for each in told["upgrade"]["past"]] == ["committed", "rolled_back"]  # type: ignore[index]

    # What the screens ask for: two people press the same key, the one goes back, the other is told why not.
    for who in ("王工", "李工"):
        releases.ask(config, Request(do="rollback", by=who, reason="画面异常", at_us=time.time_ns() // 1000))
    assert upgrade(config, "resume") == (0, {})
    seen = releases.releases(config)
    assert (seen.current, seen.waiting) == ("1.0", ())
    assert [(each.outcome, each.by) for each in seen.upgrade.past[2:]] == [("rolled_back", "王工"), ("refused", "李工")]
    until("all three on record", lambda: len(on_record(config)) == 3)
    assert on_record(config)[-1] == ("王工", "upgrade 1.0 <- 1.1")
    assert_no_seam(config, modulator, since_us)


def assert_no_seam(config: Config, modulator: Receiver, since_us: int) -> None:
    """By the sender's own word; and by what came, where this machine had the time to send and to receive it all.

    The sender is asked after the last datagram that is looked at: what it says each second is older than what it sends.
    """
    heard, dropped, upto_us = modulator.heard(since_us), modulator.dropped(), time.time_ns() // 1000
    until("the sender's word on all that came", lambda: sender(config).at_us > upto_us)
    told = sender(config)
    assert told.leads and told.database is None and told.lost_datagrams == 0
    assert heard.pictures and modulator.datagrams[-1][0] > since_us
    if told.skips == told.leaps == dropped == 0:
        assert (heard.continuity_errors, heard.pts_steps, heard.sync_errors) == (0, 0, 0)


def sender(config: Config) -> Sender:
    told = senders.told(config, CHANNEL)[0]
    assert told is not None
    return told


def on_record(config: Config) -> list[tuple[str, str]]:
    """Who changed the software, as the audit trail has it."""
    with reading(config.database) as db:
        return [
            (row["by"], row["about"]) for row in rows(db, "SELECT * FROM commands WHERE kind = 'did' ORDER BY name")
        ]
