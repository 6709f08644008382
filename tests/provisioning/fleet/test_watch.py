"""The watch as a whole: real files, a real relay, a real receiver; killed, restarted, doubled, without a line."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.core.moment import US
from provisioning.fleet import watch as watching
from provisioning.fleet.book import BOOK, read_book, read_history
from provisioning.fleet.core.letters import Letter
from provisioning.fleet.core.telling import trial
from provisioning.fleet.delivery import Outcome
from provisioning.fleet.watch import Watch
from tests.provisioning.fleet.counties import CLOCK, MISSING, Counties
from tests.provisioning.live import program, until
from tests.simulators.receiver import Receiver, receiver
from tests.simulators.relay import Relay, relay


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@pytest.fixture
def post() -> Iterator[Relay]:
    with relay() as made:
        yield made


def configure(made: Counties, hook: Receiver | None = None, post: Relay | None = None, **other: Any) -> None:
    (made.folder.path / "secret").write_text("s3cret")
    table: dict[str, Any] = {"settle_s": 0, **other}
    if hook is not None:
        table["webhook"] = {"url": hook.url, "secret": str(made.folder.path / "secret"), "timeout_s": 5}
    if post is not None:
        table["mail"] = {
            "host": "127.0.0.1", "port": post.port, "security": "none", "sender": "songshan@example.cn",
            "to": ["duty@example.cn"], "timeout_s": 5,
        }  # fmt: skip
    made.configure(table)


def told(hook: Receiver) -> list[list[str]]:
    """Of each message that came, its lines."""
    bodies = [json.loads(body) for _headers, body in hook.got]
    return [[f"{line['kind']} {line['site']}:{line['id']}" for line in body["lines"]] for body in bodies]


def look(made: Counties, watch: Watch, after_s: float = 10) -> None:
    """One look, so much later; every box has spoken meanwhile that is there."""
    made.clock.us += round(after_s * US)
    made.speak()
    watch.turn()


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "page"


def test_alarms_of_a_day_get_out_by_both_ways(sixteen: Counties, hook: Receiver, post: Relay, page: Path) -> None:
    """What is wrong when the watch begins is told once, as one message; then only what changes."""
    configure(sixteen, hook, post)
    watch = Watch(sixteen.folder, page)
    look(sixteen, watch)
    look(sixteen, watch)
    assert told(hook) == [["begins dengfeng:readiness:30min", "begins gongyi:upgrade", "begins xinmi:clock"]]
    [letter] = post.letters()
    assert letter["Subject"].startswith("[嵩山云] 紧急新告警：登封市融媒体中心（dengfeng）")
    sixteen.say("dengfeng")
    look(sixteen, watch)
    look(sixteen, watch, 300)
    assert told(hook)[1:] == [["ends dengfeng:readiness:30min"]]
    assert len(post.mails) == 2
    assert read_book(sixteen.folder.fleet).letters == ()
    watch.end()


def test_nothing_is_lost_or_told_again_over_a_restart(sixteen: Counties, hook: Receiver, page: Path) -> None:
    """The relay is away, the watch is killed, the relay comes back."""
    configure(sixteen, hook)
    hook.statuses = [503]
    watch = Watch(sixteen.folder, page)
    look(sixteen, watch)
    assert len(hook.got) == 1
    watch.end()
    again = Watch(sixteen.folder, page)
    look(sixteen, again)
    assert len(hook.got) == 1, "it rests, also over a restart"
    hook.statuses = [204]
    look(sixteen, again, 30)
    look(sixteen, again)
    assert len(hook.got) == 2
    names = {headers["songshan-message"] for headers, _body in hook.got}
    assert len(names) == 1, "and comes under the same name"
    again.end()


@pytest.mark.parametrize("dies_after", ["decided", "sent"])
def test_a_watch_that_is_killed_sends_twice_only_what_it_did_not_live_to_note(
    sixteen: Counties, hook: Receiver, page: Path, monkeypatch: pytest.MonkeyPatch, dies_after: str
) -> None:
    """Between decision and sending: once. Between sending and its note: twice, under one name; nobody can do better."""

    class Killed(Exception):
        pass

    really: Callable[..., Outcome] = watching.send

    def send(*arguments: Any) -> Outcome:
        if dies_after == "sent":
            really(*arguments)
        raise Killed

    configure(sixteen, hook)
    monkeypatch.setattr(watching, "send", send)
    watch = Watch(sixteen.folder, page)
    with pytest.raises(Killed):
        look(sixteen, watch)
    watch.end()
    monkeypatch.setattr(watching, "send", really)
    again = Watch(sixteen.folder, page)
    look(sixteen, again)
    look(sixteen, again)
    assert len(hook.got) == (1 if dies_after == "decided" else 2)
    assert len({headers["songshan-message"] for headers, _body in hook.got}) == 1
    again.end()


def test_one_way_that_fails_is_told_by_the_other(sixteen: Counties, hook: Receiver, post: Relay, page: Path) -> None:
    """Nobody would notice a silent mailbox."""
    configure(sixteen, hook, post)
    post.answers = {"MAIL": "451 later"}
    watch = Watch(sixteen.folder, page)
    look(sixteen, watch)
    look(sixteen, watch, 300)
    assert told(hook)[-1] == ["begins :hub:mail"]
    assert "451 later" in (page / "index.html").read_text()
    post.answers = {}
    for _look in range(4):
        look(sixteen, watch, 300)
    assert len(post.mails) == 3, "all that waited has come, and that it is over"
    assert told(hook)[-1] == ["ends :hub:mail"]
    watch.end()


def test_all_counties_away_is_one_line_and_none_of_them(sixteen: Counties, hook: Receiver, page: Path) -> None:
    """And when they come back, nobody is told that they had been quiet."""
    configure(sixteen, hook)
    for site in ("dengfeng", "gongyi", "xinmi"):
        sixteen.say(site)
    watch = Watch(sixteen.folder, page)
    look(sixteen, watch)
    there = list(sixteen.held)
    for site in there:
        sixteen.leave(site)
    for _look in range(20):
        look(sixteen, watch, 280)
    assert told(hook) == [["begins :hub:line"]]
    sixteen.connect(there[0])
    for _look in range(4):
        look(sixteen, watch, 100)
    assert told(hook)[1:] == [["ends :hub:line"]]
    for site in there[1:]:
        sixteen.connect(site)
    for _look in range(4):
        look(sixteen, watch, 100)
    assert len(hook.got) == 2
    watch.end()


def test_a_county_that_went_away_is_told_after_the_configured_time(
    sixteen: Counties, hook: Receiver, page: Path
) -> None:
    """And that it is back."""
    configure(sixteen, hook, quiet_after_s=600)
    for site in ("dengfeng", "gongyi", "xinmi", "huiji", "shangjie"):
        sixteen.say(site)
    sixteen.connect("huiji")
    sixteen.connect("shangjie")
    watch = Watch(sixteen.folder, page)
    look(sixteen, watch)
    sixteen.leave("zhongmu")
    for _look in range(6):
        look(sixteen, watch, 100)
    assert hook.got == [], "away is normal"
    look(sixteen, watch, 100)
    assert told(hook) == [["begins zhongmu:hub:quiet"]]
    sixteen.connect("zhongmu")
    for _look in range(4):
        look(sixteen, watch, 100)
    assert told(hook)[1:] == [["ends zhongmu:hub:quiet"]]
    watch.end()


def test_a_hub_that_was_off_itself_rings_nobody(sixteen: Counties, hook: Receiver, page: Path) -> None:
    """After a night without power all of them were last heard yesterday."""
    configure(sixteen, hook)
    for site in ("dengfeng", "gongyi", "xinmi"):
        sixteen.say(site)
    watch = Watch(sixteen.folder, page)
    look(sixteen, watch)
    watch.end()
    for site in list(sixteen.held):
        sixteen.leave(site)
    sixteen.clock.us += 10 * 3600 * US
    again = Watch(sixteen.folder, page)
    look(sixteen, again)
    look(sixteen, again, 60)
    assert hook.got == []
    again.end()


def test_a_county_that_was_away_all_along_is_not_said_to_be_back(sixteen: Counties, hook: Receiver, page: Path) -> None:
    """The watch was off for an hour: it holds nobody to have been away, and so cannot say that this ended either."""
    configure(sixteen, hook, quiet_after_s=600)
    for site in ("dengfeng", "gongyi", "xinmi"):
        sixteen.say(site)
    watch = Watch(sixteen.folder, page)
    for _look in range(4):
        look(sixteen, watch, 250)
    assert told(hook) == [["begins huiji:hub:quiet", "begins shangjie:hub:quiet"]]
    watch.end()
    sixteen.clock.us += 3600 * US
    again = Watch(sixteen.folder, page)
    for _look in range(5):
        look(sixteen, again, 250)
    assert len(hook.got) == 1
    again.end()


def test_a_config_that_cannot_be_used_is_on_the_page_and_stops_nothing_else(
    sixteen: Counties, hook: Receiver, page: Path
) -> None:
    """And once it is mended, without a restart, all that stands is told."""
    configure(sixteen, hook, colour="red")
    watch = Watch(sixteen.folder, page)
    look(sixteen, watch)
    shown = (page / "index.html").read_text()
    assert "告警配置有误" in shown and "alarms.colour" in shown and "登封" in shown
    assert hook.got == []
    configure(sixteen, hook)
    look(sixteen, watch)
    assert told(hook) == [["begins dengfeng:readiness:30min", "begins gongyi:upgrade", "begins xinmi:clock"]]
    watch.end()


def test_two_watches_of_one_hub_both_show_and_one_tells(sixteen: Counties, hook: Receiver, tmp_path: Path) -> None:
    """Two gateways on one file system; when the first ends, the other goes on where it was."""
    configure(sixteen, hook)
    one, other = Watch(sixteen.folder, tmp_path / "one"), Watch(sixteen.folder, tmp_path / "other")
    for watch in (one, other, one, other):
        look(sixteen, watch)
    sixteen.say("jinshui", alarms=[MISSING])
    for watch in (one, other):
        look(sixteen, watch)
    assert len(hook.got) == 2
    assert (tmp_path / "other/index.html").read_text().count("<tbody") == 16
    one.end()
    sixteen.say("zhongmu", alarms=[MISSING])
    look(sixteen, other)
    assert told(hook)[2:] == [["begins zhongmu:readiness:30min"]]
    other.end()


def test_what_changed_is_kept_over_a_restart_and_shown(sixteen: Counties, page: Path) -> None:
    """The first question is since when."""
    watch = Watch(sixteen.folder, page)
    look(sixteen, watch)
    watch.end()
    sixteen.leave("zhongmu")
    sixteen.say("zhongmu", version="0.4.2", alarms=[CLOCK])
    again = Watch(sixteen.folder, page)
    look(sixteen, again)
    history = read_history(sixteen.folder.fleet, "zhongmu")
    assert history is not None
    assert [(each.what, each.text.en) for each in history.changes] == [
        ("alarm", "the clock follows no time server"),
        ("link", "away"),
        ("version", "version 0.4.1 → 0.4.2"),
    ]
    shown = (page / "zhongmu.en.html").read_text()
    assert all(each.text.en in shown for each in history.changes)
    again.end()


def test_numbers_in_the_words_of_an_alarm_cost_no_write_and_are_no_change(sixteen: Counties, page: Path) -> None:
    """An alarm that counts minutes, over months, on a flash disk."""
    configure(sixteen, page_url="http://hub.example/")
    watch = Watch(sixteen.folder, page)
    look(sixteen, watch)
    kept = [sixteen.folder.fleet / BOOK, sixteen.folder.fleet / "history/xinmi.json"]
    before = [path.stat().st_ino for path in kept]
    for number in range(4):
        sixteen.say("xinmi", alarms=[{**CLOCK, "text": {"zh": f"差 {number} 秒", "en": f"{number} s"}}])
        look(sixteen, watch)
    assert [path.stat().st_ino for path in kept] == before
    assert "差 3 秒" in (page / "index.html").read_text()
    watch.end()


def test_a_book_that_cannot_be_read_stops_the_watch_with_words(sixteen: Counties, page: Path) -> None:
    """To begin a new one by itself would tell everything again."""
    sixteen.folder.fleet.mkdir()
    (sixteen.folder.fleet / BOOK).write_text("{")
    watch = Watch(sixteen.folder, page)
    with pytest.raises(Exception, match=r"book\.json"):
        watch.turn()
    watch.end()


def test_the_commands_send_a_trial_check_and_tell_what_waits(sixteen: Counties, hook: Receiver, post: Relay) -> None:
    """Before the night in which it matters."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "SONGSHAN_LANG": "en"}
        argv = [program("songshan-hub"), "--hub", str(sixteen.folder.path), *arguments]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, env=env, check=False)

    assert run("alarms", "test").returncode == 2
    configure(sixteen, hook, post)
    done = run("alarms", "test")
    assert (done.returncode, done.stdout.splitlines()) == (0, ["mail: delivered", "webhook: delivered"])
    assert told(hook) == [["test :hub:test"]] and len(post.mails) == 1
    post.answers = {"MAIL": "550 not you"}
    done = run("alarms", "test")
    assert done.returncode == 1 and "mail: 550 not you" in done.stderr
    (sixteen.folder.path / "secret").unlink()
    assert run("alarms", "check").returncode == 2
    waiting = json.loads(run("alarms", "waiting", "--json").stdout)
    assert waiting == {"ways": [], "letters": []}


def test_the_daemon_writes_and_ends_when_told(sixteen: Counties, page: Path) -> None:
    """As the unit starts it; SIGTERM is an orderly end."""
    argv = [program("songshan-hub"), "--hub", str(sixteen.folder.path), "watch", "--page", str(page)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as started:
        until(lambda: (page / "zhongyuan.en.html").exists())
        started.send_signal(signal.SIGTERM)
        assert started.wait(20) == 0
    assert {path.suffix for path in page.iterdir()} == {".html", ".json", ".prom", ".css"}
    assert {path.stat().st_mode & 0o777 for path in page.iterdir()} == {0o644}
    seen = json.loads((page / "fleet.json").read_text())
    assert len(seen["sites"]) == 16 and seen["hub"]["id"] == "songshan"


def test_letters_have_an_id_that_no_other_hub_or_moment_has() -> None:
    """Whoever receives goes by it."""
    assert trial("songshan", 1).id != trial("songshan", 2).id != trial("other", 2).id
    assert Letter(message=trial("songshan", 1), way="webhook").tries == 0
