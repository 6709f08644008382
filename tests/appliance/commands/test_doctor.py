"""The doctor works on a box that does not, and its bundle tells no secrets."""

import gzip
import io
import json
import os
import socket
import sqlite3
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance import files, releases, spool
from appliance.command import Box
from appliance.commands import checks, machine_checks, unit_checks
from appliance.commands.check import Check
from appliance.commands.checks import all_checks
from appliance.config import Config, render
from appliance.core.backup import nightly_name
from appliance.core.errors import Text
from appliance.core.health import Agent, Clock, Finding, Link
from appliance.core.moment import to_text
from appliance.core.phone import wrong_of
from appliance.core.records import Order
from appliance.core.release import Upgrade
from appliance.core.withheld import taken_out
from appliance.nights import hub_mark, rehearsed_mark, shown_mark, stick_mark
from appliance.store import database, desk, facts
from appliance.store.database import transaction, writing
from tests.appliance.boxes import HUB, box
from tests.ports import free_ports

SONGSHAN = str(Path(sys.executable).with_name("songshan"))
SECRET = "-----BEGIN OPENSSH PRIVATE KEY-----\nsecretsecretsecret\n"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    hub, web = free_ports(2)
    made = box(tmp_path / "box", hub=replace(HUB, port=hub))
    return installed(replace(made, web_bind=f"127.0.0.1:{web}"))


def installed(config: Config) -> Config:
    files.make_folders(config)
    spool.make_folders(config)
    (config.home / "appliance.toml").write_text(render(config))
    for key in (config.ssh_key, config.sign_key):
        key.write_text(SECRET)
        key.chmod(0o600)
    return config


def doctor(home: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SONGSHAN, "--home", home, "doctor", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "SONGSHAN_LANG": "en"},
    )


def states(home: Path) -> dict[str, str]:
    """The worst that was found of each part."""
    found: dict[str, str] = {}
    for check in json.loads(doctor(home, "--json").stdout)["checks"]:
        before = found.get(check["name"], "good")
        found[check["name"]] = max(before, check["state"], key=["good", "warning", "bad"].index)
        assert check["state"] == "good" or check["hint"], check
    return found


@contextmanager
def answering(port: int, banner: bytes) -> Iterator[None]:
    """A server that says one thing to whoever connects."""
    with socket.create_server(("127.0.0.1", port)) as server:
        server.settimeout(0.1)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    line, _who = server.accept()
                except TimeoutError:
                    continue
                with line:
                    line.sendall(banner)

        serving = threading.Thread(target=serve)
        serving.start()
        try:
            yield
        finally:
            over.set()
            serving.join(10)


def alive(config: Config) -> None:
    """Its agent runs, it was backed up, here and at the hub, and the recovery code was written down."""
    config.backups.mkdir(exist_ok=True)
    name = nightly_name("dengfeng", to_text(time.time_ns() // 1000))
    (config.backups / name).write_text("x")
    rehearsed_mark(config).write_text(name)
    shown_mark(config).touch()
    hub_mark(config).touch()
    with writing(config.database) as db:
        facts.set_status(db, Agent(pid=1), time.time_ns() // 1000)
        facts.set_status(db, Link(state="connected"), time.time_ns() // 1000)


def test_a_box_that_is_well(config: Config) -> None:
    """Every part is looked at and found good."""
    alive(config)
    assert config.hub is not None
    with answering(config.hub.port, b"SSH-2.0-OpenSSH_9.2\r\n"):
        found = states(config.home)
    assert found.pop("web") == "warning"
    found.pop("alarm", None)
    assert found == dict.fromkeys(
        ("config", "folders", "keys", "disk", "database", "agent", "spool", "hub", "programs", "clock", "backup"),
        "good",
    )


def test_a_box_on_which_nothing_runs(config: Config) -> None:
    """Agent dead, no database, no line: each told with its next step, and exit 1."""
    found = states(config.home)
    assert (found["agent"], found["database"], found["hub"]) == ("bad", "bad", "warning")
    done = doctor(config.home)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "-> start the agent: songshan agent" in done.stdout


def test_a_box_without_a_config_and_one_with_a_broken_one(tmp_path: Path) -> None:
    """The doctor is the one command that must not need the config."""
    assert states(tmp_path)["config"] == "bad"
    (tmp_path / "appliance.toml").write_text("site = ")
    assert (states(tmp_path)["config"], states(tmp_path)["programs"]) == ("bad", "good")


def test_a_damaged_database_is_found(config: Config) -> None:
    """Also where only a page in the middle is wrong."""
    alive(config)
    with config.database.open("r+b") as file:
        file.seek(4096 * 2)
        file.write(b"\xff" * 4096)
    assert states(config.home)["database"] == "bad"


def test_a_database_that_somebody_holds_is_neither_damaged_nor_is_the_agent_dead(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """'Damaged' comes with the advice to move it away; and whether the agent runs stands in it."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.02)
    with writing(config.database):
        pass
    holder = sqlite3.connect(config.database, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    holder.execute("INSERT INTO tips VALUES ('t', 't', '', 1)")
    found = {check.name: check for check in all_checks(Box(config.home, {}), 1)}
    holder.close()
    assert "another program holds" in found["database"].found.en
    assert (found["agent"].state, found["agent"].found.en) == ("warning", "unknown: the database cannot be read")


def test_keys_open_to_others_are_found(config: Config) -> None:
    """sshd and ssh refuse them without a word that a technician sees."""
    config.ssh_key.chmod(0o644)
    assert states(config.home)["keys"] == "bad"
    config.ssh_key.unlink()
    assert states(config.home)["keys"] == "bad"


def test_keys_that_may_not_be_looked_at_are_not_called_broken(config: Config) -> None:
    """A technician's account may not; told to enrol the box anew, he would take a healthy one off the hub."""
    config.keys.chmod(0)
    is_root = os.geteuid() == 0
    try:
        if is_root:
            os.seteuid(65534)
        found = list(checks.keys(config))
    finally:
        if is_root:
            os.seteuid(0)
        config.keys.chmod(0o700)
    assert [check.state for check in found] == ["warning", "warning"]
    assert all(check.hint is not None and "join" not in check.hint.en for check in found)


def test_something_else_on_the_hubs_port_is_found(config: Config) -> None:
    """A captive portal answers everything."""
    assert config.hub is not None
    with answering(config.hub.port, b"HTTP/1.1 302 Found\r\n"):
        assert states(config.home)["hub"] == "bad"


def test_a_hub_that_locks_the_box_out_is_told_as_such(config: Config) -> None:
    """The line is well; it is the key."""
    with writing(config.database) as db:
        facts.set_status(db, Agent(pid=1), time.time_ns() // 1000)
        facts.set_status(db, Link(state="locked_out"), time.time_ns() // 1000)
    assert config.hub is not None
    with answering(config.hub.port, b"SSH-2.0-OpenSSH_9.2\r\n"):
        assert states(config.home)["hub"] == "bad"


def test_a_lost_disk_is_told(config: Config) -> None:
    """The folder that the box lives in is there, what it should hold is not."""
    for folder in (config.incoming, config.public):
        folder.rmdir()
    assert states(config.home)["folders"] == "warning"


def unpacked(path: Path) -> dict[str, Any]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(path.read_bytes()))) as archive:
        return {
            Path(member.name).name: json.load(archive.extractfile(member) or io.BytesIO())
            for member in archive.getmembers()
        }


def test_the_bundle_has_the_facts_and_no_secret(config: Config, tmp_path: Path) -> None:
    """It is mailed to people; keys, tokens, notes and citizens' words stay on the box."""
    alive(config)
    with writing(config.database) as db, transaction(db):
        desk.add_tip(db, "t1", "举报内容-TIP", "13800000000", 1)
        desk.receive_order(db, Order(id="o1", title="报送", body="ORDER-BODY"), 1)
        desk.answer_order(db, "o1", "done", "ANSWER-NOTE", "PERSON", 2)
    bundle = tmp_path / "bundle.tar.gz"
    done = doctor(config.home, "--bundle", bundle)
    assert str(bundle) in done.stdout
    parts = unpacked(bundle)
    assert set(parts) == {
        "doctor.json",
        "software.json",
        "config.json",
        "status.json",
        "database.json",
        "incidents.json",
    }
    assert parts["config.json"]["site"] == "dengfeng"
    assert parts["database.json"]["tips"] == [{"tips": 1}]
    text = json.dumps(parts, ensure_ascii=False)
    hidden = ("secretsecret", "PRIVATE", HUB.sign_key, HUB.host_keys[0], "TIP", "138000", "BODY", "NOTE", "PERSON")
    assert [word for word in hidden if word in text] == []
    assert bundle.stat().st_size < 2 * 1024 * 1024


def test_the_bundle_of_a_box_without_a_config_still_helps(tmp_path: Path) -> None:
    """Whoever helps sees at least what is missing."""
    doctor(tmp_path, "--bundle", tmp_path / "bundle.tar.gz")
    assert set(unpacked(tmp_path / "bundle.tar.gz")) == {"doctor.json", "software.json"}


def test_the_bundle_stays_small_whatever_the_box_holds(config: Config, tmp_path: Path) -> None:
    """Two megabytes go through any mail."""
    alive(config)
    with writing(config.database) as db, transaction(db):
        for number in range(30):
            noise = "".join(chr(0x4E00 + (number * 7919 + place * 104729) % 20000) for place in range(60_000))
            desk.receive_order(db, Order(id=f"o{number}", title=noise), 1)
    doctor(config.home, "--bundle", tmp_path / "bundle.tar.gz")
    assert "doctor.json" in unpacked(tmp_path / "bundle.tar.gz")
    assert (tmp_path / "bundle.tar.gz").stat().st_size < 2 * 1024 * 1024


def test_six_digits_on_the_telephone_say_the_same_as_the_list(tmp_path: Path) -> None:
    """A box without a configuration: whoever helps types the digits and knows where to begin."""
    said = doctor(tmp_path / "nothing", "--json")
    answer = json.loads(said.stdout)
    wrong = {check["name"] for check in answer["checks"] if check["state"] != "good"}
    decoded = json.loads(doctor(tmp_path, "--code", answer["code"], "--json").stdout)
    assert set(decoded["wrong"]) == wrong and "config" in wrong


def said(checks: Iterator[Check]) -> list[tuple[str, str]]:
    found = list(checks)
    assert all(check.state == "good" or check.hint is not None for check in found), "what is wrong has a next step"
    return [(check.name, check.state) for check in found]


def test_the_age_of_the_backup_is_told_and_whether_anybody_can_open_it(config: Config) -> None:
    """One that lies beside the code on the disk that died is none."""
    now_us = time.time_ns() // 1000
    assert said(machine_checks.backup(config, now_us)) == [("backup", "warning")]
    alive(config)
    assert said(machine_checks.backup(config, now_us)) == [("backup", "good")]
    assert said(machine_checks.backup(config, now_us + 3 * 86_400_000_000)) == [("backup", "warning")]
    rehearsed_mark(config).write_text("dengfeng-20261103T020000Z.backup")
    assert said(machine_checks.backup(config, now_us)) == [("backup", "warning")], "another night's was opened"
    alive(config)
    hub_mark(config).unlink()
    assert said(machine_checks.backup(config, now_us)) == [("backup", "warning")], "it lies on this disk alone"
    stick_mark(config).touch()
    assert said(machine_checks.backup(config, now_us)) == [("backup", "good")]
    shown_mark(config).unlink()
    assert said(machine_checks.backup(config, now_us)) == [("backup", "warning")]


def test_the_state_of_the_software_is_told(config: Config) -> None:
    """Half an upgrade, one that went back, a journal that nobody can read; nothing where there are no releases."""
    now_us = time.time_ns() // 1000
    assert said(machine_checks.release(config, now_us)) == []
    config.releases.mkdir()
    for upgrade, expected in (
        (Upgrade(state="verifying", new="1.1", changed_us=now_us), "warning"),
        (Upgrade(state="rolled_back", new="1.1", why=Text("坏", "bad")), "warning"),
    ):
        releases.keep(config, upgrade)
        assert said(machine_checks.release(config, now_us)) == [("release", expected)]
    (config.releases / releases.JOURNAL).write_text("{")
    assert said(machine_checks.release(config, now_us)) == [("release", "bad")]


@pytest.mark.parametrize(("status", "state"), [(0, "good"), (8, "bad"), (16, "warning"), (2, None), (None, None)])
def test_a_disk_that_says_that_it_fails_is_told(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int | None, state: str | None
) -> None:
    """By smartctl, where it is and may ask; no word of it elsewhere."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(machine_checks, "disk_of", lambda _path: "sda")
    if status is not None:
        program = tmp_path / "smartctl"
        program.write_text(f"#!/bin/sh\necho '{{}}'\nexit {status}\n")
        program.chmod(0o755)
    assert said(machine_checks.disks(config)) == ([("disk", state)] if state is not None else [])


def test_a_stranger_on_the_port_of_the_web_server_is_found(config: Config) -> None:
    """A second copy, or another program that was there first."""
    port = free_ports(1)[0]
    config = replace(config, web_bind=f"127.0.0.1:{port}")
    assert said(machine_checks.web(config)) == [("web", "warning")]
    for answer, expected in (
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n", ("web", "good")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nno\n", ("ports", "bad")),
        (b"SSH-2.0-OpenSSH_9.2\r\n", ("ports", "bad")),
    ):
        with answering(port, answer):
            assert said(machine_checks.web(config)) == [expected]


def test_a_clock_that_nobody_sets_is_told() -> None:
    """1970, ahead of the hub, no time server."""
    now_us = time.time_ns() // 1000
    found = [
        machine_checks.clock(0, None),
        machine_checks.clock(now_us, Clock(hub_offset_ms=-5000)),
        machine_checks.clock(now_us, Clock(synchronised=False)),
        machine_checks.clock(now_us, Clock(synchronised=True, hub_offset_ms=3)),
        machine_checks.clock(now_us, None),
    ]
    assert said(iter(found)) == [("clock", state) for state in ("bad", "warning", "warning", "good", "good")]


PLANTED = {
    "password in an address": "rtmp://admin:PLANTED1@10.0.0.1/live",
    "token in an address": "http://10.0.0.1/live.m3u8?token=PLANTED2&x=1",
    "named": "摄像机密码：PLANTED3，请勿外传",
    "assigned": "API_KEY=PLANTED4",
    "header": "Authorization: Bearer PLANTED5aaaa",
    "private key": "-----BEGIN OPENSSH PRIVATE KEY-----\nPLANTED6\n-----END OPENSSH PRIVATE KEY-----",
    "half a private key": "-----BEGIN OPENSSH PRIVATE KEY-----\nPLANTED7",
    "our kind of key": f"PLANTED8{'A' * 35}=",
    "public key of a host": f"ssh-ed25519 PLANTED9{'A' * 60}",
    "mobile": "记者 13800138000",
    "mobile in groups": "+86 138 0013 8001",
    "landline": "热线 0371-66668888",
    "identity": "410185199001011234",
    "mail": "wang.gong@dengfeng.example.cn",
    "recovery code": "ABCD-EFGH-JKMN-PQRS-TUVW-XY23",
}
HIDDEN = ("PLANTED", "13800138000", "138 0013 8001", "66668888", "410185199001011234", "wang.gong", "JKMN")


def test_what_people_write_into_titles_and_reasons_stays_on_the_box(config: Config, tmp_path: Path) -> None:
    """Each kind of secret in each kind of text that the bundle holds: of none a word is in it."""
    alive(config)
    with writing(config.database) as db, transaction(db):
        for number, (kind, secret) in enumerate(PLANTED.items()):
            desk.receive_order(db, Order(id=f"o{number}", title=f"{kind} {secret} 结束", body=secret), 1)
            desk.add_tip(db, f"t{number}", secret, secret, 1)
            finding = Finding(
                id=f"drop:{number}", severity="amber", text=Text(secret, secret), hint=Text(secret, secret)
            )
            facts.raise_alarm(db, finding, 1)
        link = Link(state="offline", reason=Text(*["；".join(PLANTED.values())] * 2))
        facts.set_status(db, link, time.time_ns() // 1000)
    bundle = tmp_path / "bundle.tar.gz"
    doctor(config.home, "--bundle", bundle)
    text = json.dumps(unpacked(bundle), ensure_ascii=False)
    assert [word for word in HIDDEN if word in text] == []
    assert text.count("结束") >= len(PLANTED) - 1, "what is no secret is there, but behind half a key"
    assert "10.0.0.1" in text
    assert b"secretsecret" not in gzip.decompress(bundle.read_bytes())


def test_a_digest_a_time_and_a_version_are_no_secrets() -> None:
    """Whoever helps needs them."""
    plain = (
        f"sha256:{'ab' * 32} 2026-11-26T08:00:00Z 1.2.0 dengfeng/report 3:120 239.0.0.1:5000 00001795500000000000-0a1b"
    )
    assert taken_out(plain) == plain


SHOWN = """Id=songshan-agent.service
LoadState=loaded
ActiveState=active
Result=success

Id=nftables.service
LoadState=loaded
ActiveState=inactive
Result=success

Id=chrony.service
LoadState=not-found
ActiveState=inactive
Result=success

Id=songshan-web.socket
LoadState=loaded
ActiveState=failed
Result=service-start-limit-hit
"""


def test_units_that_nobody_would_miss_are_told() -> None:
    """A firewall that is off lets everything in, and all of the box works."""
    checks = list(unit_checks.of_units(SHOWN))
    assert [(check.state, check.found.en) for check in checks] == [
        ("bad", "door of the web server failed: songshan-web.socket service-start-limit-hit"),
        ("warning", "firewall is off: nftables.service"),
        ("warning", "time service: chrony.service is not installed"),
    ]
    assert all(check.hint is not None for check in checks)
    on = SHOWN.split("\n\n")[0]
    assert said(unit_checks.of_units(on)) == [("units", "good")]
    assert said(unit_checks.of_units(None)) == []


def test_with_everything_dead_there_is_a_bundle_and_none_of_a_thousand_secrets_is_in_it(
    config: Config, tmp_path: Path
) -> None:
    """No agent, no web server, a database that is none, and secrets wherever a box keeps some."""
    secrets = [f"{number:04d}-PLANTED" for number in range(1000)]
    places = [config.database, config.sign_key, config.ssh_key, config.playout_token, config.keys / "recovery"]
    places += [config.spool / "new" / f"{number}" for number in range(20)]
    places += [config.home / "logs/agent.log", config.drop / "举报.txt", config.requests / "1", config.backups / "b"]
    for number, place in enumerate(places):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("\n".join(secrets[number :: len(places)]))
    bundle = tmp_path / "bundle.tar.gz"
    done = doctor(config.home, "--bundle", bundle)
    assert done.returncode == 1 and bundle.stat().st_size < 2 * 1024 * 1024
    text = json.dumps(unpacked(bundle), ensure_ascii=False)
    assert [secret for secret in secrets if secret in text] == [] and "PLANTED" not in text + done.stdout
    code = "".join(done.stdout.partition("telephone: ")[2].split()[:2])
    assert {"agent", "database"} <= set(wrong_of(code)), "the six digits say the same"
