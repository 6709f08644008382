"""A box sends its sealed backup by night, as an upload like others; the hub keeps it where no site reaches."""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from appliance.core import moment, seal
from appliance.core.errors import Text
from appliance.core.events import DeliveredAnswered, Greeted
from provisioning.hub.backups_sent import came, keep_sent
from provisioning.hub.folder import HubFolder, HubSettings, render_settings
from provisioning.hub.intake import FileAnswer
from tests.provisioning.fleet.counties import SetClock
from tests.provisioning.live import LiveBox, LiveHub, program

SEED, SALT = bytes(seal.SEED_BYTES), bytes(seal.SALT_BYTES)
HOUR_US = 3_600_000_000


def runs(box: LiveBox, *arguments: str) -> str:
    argv, env = [program("songshan"), "--home", str(box.home), *arguments], {**os.environ, "SONGSHAN_LANG": "en"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_hub_has_it_by_the_morning_also_where_half_of_it_was_there(
    hub: LiveHub, dengfeng: LiveBox, zhongmu: LiveBox
) -> None:
    """To the byte, once, out of the reach of both sites; and both sides can say so."""
    box = dengfeng
    runs(box, "agent", "--once")
    assert json.loads(runs(box, "backup", "status", "--json"))["at_hub"] is None
    path = Path(json.loads(runs(box, "backup", "--nightly", "--json"))["path"])
    data = path.read_bytes()
    name = hashlib.sha256(data).hexdigest()
    half = box.home / name
    half.write_bytes(data[: len(data) // 2])
    assert box.upload(half).returncode == 0, "as a line leaves it that was cut"
    assert json.loads(runs(box, "backup", "status", "--json"))["waiting_for_hub"] == 1
    runs(box, "agent", "--once")
    kept = hub.path / "backups/dengfeng"
    assert (kept / path.name).read_bytes() == data
    assert (kept / path.name).stat().st_mode & 0o777 == 0o600
    for folder in ("incoming", "uploaded", "readable"):
        assert not list((hub.path / "sites/dengfeng" / folder).iterdir())
    assert box.fetch(f"sha256:{name}") is None and zhongmu.fetch(f"sha256:{name}") is None
    told = json.loads(runs(box, "backup", "status", "--json"))
    assert (told["waiting_for_hub"], told["at_hub"] is not None) == (0, True)
    row = next(each for each in hub.facts("fleet")["sites"] if each["site"] == "dengfeng")
    assert (row["backups_here"], row["backup_came_at"] is not None) == (1, True)
    assert hub.run("backups", "newest", "dengfeng").strip() == str(kept / path.name)
    # It did not hear that: it asks again, and nothing travels a second time.
    with box.session() as session:
        session.wait(Greeted)
        session.session.delivered(f"sha256:{name}", is_backup=True)
        assert session.wait(DeliveredAnswered).verdict == "taken"
    assert not list((box.home / "backups/to-hub").iterdir())


def test_a_county_without_a_line_sends_it_by_stick(hub: LiveHub, tmp_path: Path) -> None:
    """Sealed as it is: whoever finds the stick has nothing."""
    box, stick = hub.box("gaoxin", tmp_path / "box"), tmp_path / "stick"
    stick.mkdir()
    runs(box, "agent", "--once")
    path = Path(json.loads(runs(box, "backup", "--nightly", "--json"))["path"])
    assert json.loads(runs(box, "usb", "export", str(stick), "--label", "--json"))["backup"] is True
    assert json.loads(runs(box, "backup", "status", "--json"))["at_stick"] is not None
    for _twice in range(2):
        hub.run("usb", "import", str(stick))
        assert (hub.path / "backups/gaoxin" / path.name).read_bytes() == path.read_bytes()
    assert not list((hub.path / "sites/gaoxin/uploaded").iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> HubFolder:
    made = HubFolder(tmp_path / "hub", SetClock())
    (made.site("dengfeng").uploaded).mkdir(parents=True)
    settings = HubSettings(id="songshan", host="h", port=22, user="u", backups_kept=3, backup_bytes_max=100_000)
    made.settings_file.write_text(render_settings(settings))
    return made


def arrives(folder: HubFolder, made_at: str, site: str = "dengfeng", padding: int = 100) -> FileAnswer:
    """An upload that is called a backup, hashed and found to be what it is called."""
    header = seal.header_of(site, made_at, "1.0", SEED, SALT)
    data = header + seal.Sealing(header, SEED, SALT).seal(os.urandom(padding), is_last=True)
    digest = hashlib.sha256(data).hexdigest()
    (folder.site("dengfeng").uploaded / digest).write_bytes(data)
    return keep_sent(folder, "dengfeng", FileAnswer(f"sha256:{digest}", "taken", Text("", "")))


def names(folder: HubFolder) -> list[str]:
    return [each.name for each in came(folder.backups_of("dengfeng"))]


def test_when_they_came_counts_and_not_what_the_box_says_of_its_time(folder: HubFolder) -> None:
    """A clock of 1970 or of 2099 neither hides a backup nor takes another one's place."""
    clock: Any = folder.clock
    made = ("2099-01-01T00:00:00Z", "1970-01-01T00:00:07Z", "2026-11-26T02:30:00Z", "2026-11-27T02:30:00Z")
    for made_at in made:
        assert arrives(folder, made_at).verdict == "taken"
        clock.us += 24 * HOUR_US
    assert names(folder) == [
        "dengfeng-19700101T000007Z.backup",
        "dengfeng-20261126T023000Z.backup",
        "dengfeng-20261127T023000Z.backup",
    ]
    for _again in range(20):
        clock.us += HOUR_US // 4
        assert arrives(folder, moment.to_text(clock.us)).verdict == "taken"
    assert names(folder)[:1] == ["dengfeng-20261126T023000Z.backup"], "a flood pushes out one night, not all"


@pytest.mark.parametrize(
    ("made_at", "site", "padding", "expected"),
    [
        ("2026-11-26/02:30:00+00:00", "dengfeng", 100, "taken"),
        ("../../../../etc/cron.d/x", "dengfeng", 100, "refused"),
        ("", "dengfeng", 100, "refused"),
        ("2026-11-26T02:30:00Z", "gongyi", 100, "refused"),
        ("2026-11-26T02:30:00Z", "dengfeng", 200_000, "refused"),
    ],
)
def test_what_is_no_backup_of_this_site_is_refused_and_nothing_stays(
    folder: HubFolder, made_at: str, site: str, padding: int, expected: str
) -> None:
    """Its name is made of what the box says: of that nothing but a time gets into it."""
    answer = arrives(folder, made_at, site, padding)
    kept = folder.backups_of("dengfeng")
    assert answer.verdict == expected
    # A time that was written in another way is a time.
    assert names(folder) == (["dengfeng-20261126T023000Z.backup"] if expected == "taken" else [])
    assert not list(folder.site("dengfeng").uploaded.iterdir())
    assert {path.name for path in folder.path.rglob("*") if path.is_file()} <= {"hub.toml", "last", *names(folder)}
    assert kept.is_dir() == (answer.verdict == "taken")


def test_a_hub_that_wants_none_says_so(folder: HubFolder) -> None:
    """A box of a hub that changed its mind in the middle of the night."""
    settings = HubSettings(id="songshan", host="h", port=22, user="u", backups_kept=0)
    folder.settings_file.write_text(render_settings(settings))
    assert arrives(folder, "2026-11-26T02:30:00Z").verdict == "refused"
