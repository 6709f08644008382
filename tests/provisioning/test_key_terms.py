"""Keys run out at a real hub behind a real sshd, and a real agent changes them by itself."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance.config import load
from appliance.core import moment
from appliance.core.key_term import DAY_US
from appliance.store.facts import look
from provisioning.hub.sites import Site, site_of, write_site
from tests.provisioning.live import LiveBox, LiveHub, program, until


def aged(hub: LiveHub, site: str, days: float) -> Site:
    """The keys of this site have been in force for so long."""
    since = moment.to_text(hub.folder.now_us() - round(days * DAY_US))
    with hub.folder.locked():
        known = msgspec.structs.replace(site_of(hub.folder, site), approved_at=since, keyed_at=None)
        write_site(hub.folder, known)
    return known


def runs(box: LiveBox, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv, env = [program("songshan"), "--home", str(box.home), *arguments], {**os.environ, "SONGSHAN_LANG": "en"}
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, env=env)


def row(hub: LiveHub, site: str) -> Any:
    return next(each for each in hub.facts("fleet")["sites"] if each["site"] == site)


def test_a_box_in_its_session_changes_its_keys_before_they_run_out(hub: LiveHub, tmp_path: Path) -> None:
    """Nobody does anything; what it says is taken under the old keys and then under the new; the old open nothing."""
    box = hub.box("xinmi", tmp_path / "box")
    before = aged(hub, "xinmi", 130)
    shutil.copytree(box.home, tmp_path / "thief")
    assert row(hub, "xinmi")["key_standing"] == "due"
    argv = [program("songshan"), "--home", str(box.home), "agent"]
    with subprocess.Popen(argv, stderr=subprocess.PIPE) as agent:
        try:
            after = until(lambda: (now := site_of(hub.folder, "xinmi")).keyed_at is not None and now, 90)
            assert runs(box, "submit", __file__, "--title", "new keys").returncode == 0
            until(lambda: hub.folder.stream("xinmi/report").exists() and said_under(hub, "xinmi"), 60)
        finally:
            agent.terminate()
            log = agent.communicate(timeout=30)[1].decode()
    assert (after.former_sign_keys, after.ssh_key != before.ssh_key) == ((before.sign_key,), True)
    assert "keys_renewed" in log and "child_failed" not in log, log
    assert not [each for each in hub.refusals() if each["site"] == "xinmi"], "nothing was said under the wrong key"
    assert row(hub, "xinmi")["key_standing"] == "good"
    thief = LiveBox(hub, "xinmi", tmp_path / "thief", box.bundle)
    assert b"Permission denied" in thief.command("session").stderr


def said_under(hub: LiveHub, site: str) -> bool:
    """Whether the hub holds something of the site under the keys that count now."""
    covered = hub.journals.stream(f"{site}/report").covered()
    return covered is not None and covered.checkpoint.position.seq > 0


def test_keys_that_ran_out_may_be_changed_and_nothing_else(hub: LiveHub, tmp_path: Path) -> None:
    """The box was away for months. Its agent finds that out, changes them, and goes on in the same run."""
    box = hub.box("xinzheng", tmp_path / "box")
    aged(hub, "xinzheng", 400)
    shown = box.command("session")
    assert (shown.returncode, "只能更换" in shown.stderr.decode()) == (5, True)
    (tmp_path / ("0" * 64)).write_bytes(b"x")
    assert box.upload(tmp_path / ("0" * 64)).returncode != 0
    assert not list((hub.path / "sites/xinzheng/incoming").iterdir())
    assert (row(hub, "xinzheng")["key_standing"], row(hub, "xinzheng")["alarms"][0]["id"]) == ("renew_only", "hub:key")
    done = runs(box, "agent", "--once")
    assert done.returncode == 0, done.stderr
    assert "keys_renewed" in done.stderr
    assert site_of(hub.folder, "xinzheng").keyed_at is not None
    assert "hub_reached" in done.stderr, "it goes on in the same run"
    assert row(hub, "xinzheng")["key_standing"] == "good"
    checks = json.loads(runs(box, "doctor", "--json").stdout)["checks"]
    assert [each["state"] for each in checks if each["name"] == "key"] == ["good"]


def test_after_the_grace_both_sides_say_so_and_an_operators_word_lets_it_change_them(
    hub: LiveHub, tmp_path: Path
) -> None:
    """Not with the keys that it has for longer than that: whoever finds an old disk is not the county."""
    box = hub.box("gongyi", tmp_path / "box")
    keys = (box.home / "keys/ssh").read_bytes()
    aged(hub, "gongyi", 600)
    assert runs(box, "agent", "--once").returncode == 0, "the box works on without the hub"
    config = load(box.home, {})
    seen = look(config, config.clock.wall_us())
    assert seen.link.state == "locked_out" and seen.link.reason is not None
    assert "approve gongyi" in seen.link.reason.en
    refused = runs(box, "rotate-keys")
    assert (refused.returncode, "approve gongyi" in refused.stderr) == (4, True), refused.stderr
    assert (box.home / "keys/ssh").read_bytes() == keys
    assert any("ended on" in str(each) for each in hub.refusals() if each["site"] == "gongyi")
    assert row(hub, "gongyi")["alarms"][0]["severity"] == "red"
    assert "until" in hub.run("approve", "gongyi")
    assert box.command("session").returncode == 5, "no more than that"
    assert runs(box, "agent", "--once").returncode == 0
    after = site_of(hub.folder, "gongyi")
    assert (after.keyed_at is not None, after.let_renew_until) == (True, None)
    assert (box.home / "keys/ssh").read_bytes() != keys
    # What was made of the first attempt and never used is what the second one took: one new pair, and no more.
    assert {path.name for path in (box.home / "keys").iterdir()} <= {"ssh", "ssh.pub", "sign", "sign.pub", "recovery"}


@pytest.mark.parametrize("days", ["-1", '"180"', "40000"])
def test_a_slip_in_the_policy_is_named_and_changes_nothing(quiet_hub: LiveHub, days: str) -> None:
    """Of hub.toml one is told what is wrong; what runs is not ended by it."""
    settings = quiet_hub.folder.settings_file
    text = settings.read_text()
    assert "key_valid_days = 180\n" in text, "where nobody chose otherwise it stands there to be seen"
    settings.write_text(text.replace("key_valid_days = 180", f"key_valid_days = {days}"))
    assert "key_valid_days" in quiet_hub.run("fleet", status=2)
