"""The doctor works on a box that does not, and its bundle tells no secrets."""

import gzip
import io
import json
import os
import socket
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

from appliance import files, spool
from appliance.config import Config, render
from appliance.core.health import Agent, Link
from appliance.core.records import Order
from appliance.store import desk, facts
from appliance.store.database import transaction, writing
from tests.appliance.boxes import HUB, box
from tests.ports import free_ports

SONGSHAN = str(Path(sys.executable).with_name("songshan"))
SECRET = "-----BEGIN OPENSSH PRIVATE KEY-----\nsecretsecretsecret\n"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return installed(box(tmp_path / "box", hub=replace(HUB, port=free_ports(1)[0])))


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
        ("config", "folders", "keys", "disk", "database", "agent", "spool", "hub", "programs", "clock"), "good"
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


def test_keys_open_to_others_are_found(config: Config) -> None:
    """sshd and ssh refuse them without a word that a technician sees."""
    config.ssh_key.chmod(0o644)
    assert states(config.home)["keys"] == "bad"
    config.ssh_key.unlink()
    assert states(config.home)["keys"] == "bad"


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
    assert set(parts) == {"doctor.json", "software.json", "config.json", "status.json", "database.json"}
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
