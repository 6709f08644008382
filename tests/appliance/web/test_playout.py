"""Days for other engines, the as-run to print, and the word of an engine: for the house alone, exact and bounded."""

import base64
import json
import shutil
import subprocess
from datetime import date, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from appliance import spool
from appliance.command import songshan
from appliance.core.command import Asrun
from appliance.core.schedule import day_of
from appliance.store import air, asrun
from edge_agent.library import arrange, links_of
from tests.appliance.web.county import County, now_us

BODY = {"rows": [{"start": "2026-11-24T06:00:00Z", "duration_s": 60.0, "title": "新闻"}]}


@pytest.fixture
def token(county: County) -> dict[str, str]:
    """What an engine sends along."""
    said = CliRunner().invoke(songshan, ["--home", str(county.home), "token"], env={"SONGSHAN_LANG": "en"})
    return {"Authorization": f"Bearer {said.output.rpartition(': ')[2].strip()}"}


def today(county: County) -> str:
    return day_of(now_us(), county.config.zone)


def test_nothing_is_told_without_the_token(county: County, client: FlaskClient, token: dict[str, str]) -> None:
    """The schedule of tomorrow is nobody's business, and anybody could claim to have aired something."""
    secret = token["Authorization"].removeprefix("Bearer ")
    wrong = base64.b64encode(b"engine:guess").decode()
    basic = base64.b64encode(f"engine:{secret}".encode()).decode()
    path = f"/playout/dengfeng-1/{today(county)}.json"
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Basic {wrong}"}):
        answer = client.get(path, headers=headers)
        assert (answer.status_code, "WWW-Authenticate" in answer.headers) == (401, True)
        assert client.post("/playout/dengfeng-1/asrun", json=BODY, headers=headers).status_code == 401
    assert spool.pending(county.config) == []
    for headers in (token, {"Authorization": f"Basic {basic}"}):
        answer = client.get(path, headers=headers)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    county.config.playout_token.unlink()
    assert client.get(path, headers=token).status_code == 401
    assert secret not in "".join(each.read_text(errors="replace") for each in county.home.glob("state/*token*"))


@pytest.mark.parametrize(
    "path", ["x-1/2026-11-24.json", "dengfeng-1/2026-02-30.json", "dengfeng-1/2026-11-24.exe", "dengfeng-1/x.json"]
)
def test_what_is_not_there_is_not_found(client: FlaskClient, token: dict[str, str], path: str) -> None:
    """No other file of the box is reached through here."""
    assert client.get(f"/playout/{path}", headers=token).status_code == 404


def test_an_engine_reports_and_it_lies_in_the_spool(county: County, client: FlaskClient, token: dict[str, str]) -> None:
    """The web server writes nothing else."""
    answer = client.post("/playout/dengfeng-1/asrun", json=BODY, headers=token)
    assert answer.status_code == 202
    (name,) = spool.pending(county.config)
    command, _ = spool.read(county.config, name)
    assert isinstance(command, Asrun) and command.via == "playout"
    assert command.rows[0]["duration_s"] == 60.0


@pytest.mark.parametrize(
    "body",
    [
        b"x",
        b"[]",
        b'{"rows":[]}',
        json.dumps({"rows": BODY["rows"] * 201}).encode(),
        b'{"rows":[{"start":"today","duration_s":1}]}',
        b'{"rows":[{"start":"2026-11-24T06:00:00Z","duration_s":0}]}',
        b'{"rows":[{"start":"2026-11-24T06:00:00Z","duration_s":1e9}]}',
        b'{"rows":[{"start":"2026-11-24T06:00:00Z","duration_s":1,"asset":"x"}]}',
        b'{"rows":[{"start":"2026-11-24T06:00:00Z","duration_s":1,"seq":1,"prev":"0","hash":"0"}]}',
    ],
)
def test_a_report_that_is_none_is_refused(
    county: County, client: FlaskClient, token: dict[str, str], body: bytes
) -> None:
    """A row with a number and a hash of its own would pass for one of the log."""
    answer = client.post("/playout/dengfeng-1/asrun", data=body, headers=token, content_type="application/json")
    assert answer.status_code == 400
    assert spool.pending(county.config) == []


def test_reports_are_rationed(client: FlaskClient, token: dict[str, str]) -> None:
    """An engine in a loop must not fill the spool."""
    answers = [client.post("/playout/dengfeng-1/asrun", json=BODY, headers=token) for _ in range(40)]
    assert {each.status_code for each in answers} == {202, 429}
    assert answers[-1].headers["Retry-After"]


@pytest.fixture
def on_air(county: County) -> County:
    """A day with a programme that is on disk under the names of the library."""
    source = county.package("long")
    late = (date.fromisoformat(today(county)) + timedelta(days=1)).isoformat()
    entry = {"id": "e1", "start": "20:00:00", "start_type": "hard", "kind": "programme", "title": '晚间/新闻 "一"'}
    schedule = {"channel": "dengfeng-1", "date": late, "version": 1, "entries": [{**entry, "asset": source.digest}]}
    county.go_on_air([source], schedule, hours=30)
    arrange(county.config, county.db, now_us())
    return county


def test_the_files_of_an_export_are_there_under_their_names(
    on_air: County, client: FlaskClient, token: dict[str, str]
) -> None:
    """What an engine is told to play it can open, and it is the asset itself, not a copy."""
    late = day_of(now_us() + 86_400_000_000, on_air.config.zone)
    document = client.get(f"/playout/dengfeng-1/{late}.json", headers=token).get_json()
    paths = {each["file"]: each["rendition"] for each in document["items"]}
    for path, rendition in paths.items():
        assert Path(path).is_file()
        if rendition is not None:
            media = on_air.config.media / rendition[7:9] / rendition[7:]
            assert Path(path).stat().st_ino == media.stat().st_ino
    assert any(path.endswith(f"/{late}/dengfeng-1/01-200000-晚间_新闻 _一_.ts") for path in paths)
    entry = next(each for each in document["items"] if each["entry"] == "e1" and each["kind"] == "programme")
    assert entry["start"] == f"{(date.fromisoformat(late)).isoformat()}T12:00:00Z"


def test_players_open_the_list(on_air: County, client: FlaskClient, token: dict[str, str], tmp_path: Path) -> None:
    """The first files of the day, by a player that knows nothing of us."""
    late = day_of(now_us() + 86_400_000_000, on_air.config.zone)
    listed = client.get(f"/playout/dengfeng-1/{late}.m3u8", headers=token).text.splitlines()
    (tmp_path / "day.m3u8").write_text("\n".join(listed[:10]) + "\n")
    played = subprocess.run(
        ["mpv", "--no-config", "--vo=null", "--ao=null", "--length=0.2", tmp_path / "day.m3u8"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    wanted = [line for line in listed[:10] if not line.startswith("#")]
    assert [line.removeprefix("Playing: ") for line in played.stdout.splitlines() if "Playing: /" in line] == wanted


@pytest.mark.skipif(shutil.which("melt") is None, reason="melt is not installed")
def test_melt_plays_what_mlt_says(on_air: County, client: FlaskClient, token: dict[str, str], tmp_path: Path) -> None:
    """By the program itself: the length of the day, and the frames of its first items, none of them missing."""
    late = day_of(now_us() + 86_400_000_000, on_air.config.zone)
    whole = client.get(f"/playout/dengfeng-1/{late}.mlt", headers=token).data
    (tmp_path / "whole.mlt").write_bytes(whole)
    melt(tmp_path, "whole.mlt", "-consumer", "xml:read.xml")
    (read,) = ElementTree.parse(tmp_path / "read.xml").getroot().findall("tractor")
    assert (read.get("in"), read.get("out")) == ("0", str(86_400 * 25 - 1))
    root = ElementTree.fromstring(whole)
    playlist = root.find("playlist")
    assert playlist is not None
    for each in playlist.findall("entry")[3:]:
        playlist.remove(each)
    for each in playlist.findall("entry"):
        each.attrib.pop("repeat", None)
    frames = sum(int(each.get("out") or 0) - int(each.get("in") or 0) + 1 for each in playlist.findall("entry"))
    (tmp_path / "day.mlt").write_bytes(ElementTree.tostring(root))
    options = ("vcodec=mpeg2video", "an=1", "s=160x90", "real_time=-1")
    melt(tmp_path, "day.mlt", "-consumer", "avformat:out.ts", *options)
    asked = ["-count_frames", "-select_streams", "v", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"]
    counted = subprocess.run(["ffprobe", "-v", "error", *asked, tmp_path / "out.ts"], capture_output=True, check=True)
    assert abs(int(counted.stdout.split(b"\n")[0].strip(b",")) - frames) <= 1


def melt(folder: Path, *words: str) -> None:
    """The program, where it has no screen."""
    environ = {"HOME": str(folder), "PATH": "/usr/bin:/bin", "SDL_VIDEODRIVER": "dummy", "QT_QPA_PLATFORM": "offscreen"}
    subprocess.run(["melt", *words], cwd=folder, capture_output=True, check=True, timeout=120, env=environ)


def test_recalled_and_past_names_go_and_what_is_anothers_stays(on_air: County) -> None:
    """A recalled film may not lie about under its title."""
    config = on_air.config
    mine = config.library / "my-own.txt"
    mine.write_text("x")
    ours = links_of(config)
    assert ours
    recalled = next(iter(ours.values()))
    on_air.write(
        lambda db: db.execute("INSERT INTO tombstones (target, reason, recalled_at_us) VALUES (?, 'x', 1)", (recalled,))
    )
    arrange(config, on_air.db, now_us())
    assert not [path for path, digest in links_of(config).items() if digest == recalled]
    assert not [path for path in ours if ours[path] == recalled and (config.library / path).exists()]
    arrange(config, on_air.db, now_us() + 4 * 86_400_000_000)
    assert mine.exists() and not any((config.library / path).exists() for path in ours)


def test_the_as_run_prints(on_air: County, client: FlaskClient, token: dict[str, str]) -> None:
    """Chinese first, English complete; with the sums, and a table for spreadsheets beside it."""
    on_air.write(lambda db: asrun.log_aired(db, "dengfeng-1", air.now_us(db)))
    path = f"/playout/dengfeng-1/{today(on_air)}.asrun"
    chinese = client.get(f"{path}.html", headers=token).text
    english = client.get(f"{path}.html?lang=en", headers=token).text
    for word, other in (
        ("播出日志", "As-run"),
        ("停播", "off air"),
        ("垫播", "padded"),
        ("无人证实", "Vouched for by nobody"),
    ):
        assert word in chinese and other in english and other not in chinese
    assert "Technical Difficulty" in chinese
    table = client.get(f"{path}.csv", headers=token)
    assert table.data.startswith(b"\xef\xbb\xbfseq,start,end") and table.text.count("\r\n") > 1


def test_the_command_writes_what_the_server_says(
    on_air: County, client: FlaskClient, token: dict[str, str], tmp_path: Path
) -> None:
    """On the engine's own machine a file is enough, and needs no token."""
    out = tmp_path / "day.json"
    words = ["export", "dengfeng-1", "--date", today(on_air), "--format", "ffplayout.json", "--out", str(out)]
    assert CliRunner().invoke(songshan, ["--home", str(on_air.home), *words]).exit_code == 0
    path = f"/playout/dengfeng-1/{today(on_air)}.ffplayout.json"
    assert json.loads(out.read_bytes()) == client.get(path, headers=token).get_json()
