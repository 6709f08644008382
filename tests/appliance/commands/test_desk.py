"""What a person types at the desk is in the spool, whatever the file is called and whether or not the agent runs."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance import spool
from appliance.config import Config, render
from appliance.core.command import Answer, Command, Redact, Submit, Take
from appliance.core.errors import Refused, Text
from appliance.core.health import Agent
from appliance.core.records import Order
from appliance.store import desk, facts
from appliance.store.database import transaction, writing
from appliance.store.journals import append_own
from tests.appliance.boxes import AT_US, box, small_disk

SONGSHAN = str(Path(sys.executable).with_name("songshan"))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return installed(tmp_path / "box")


def installed(home: Path) -> Config:
    home.mkdir(exist_ok=True)
    made = box(home)
    (home / "appliance.toml").write_text(render(made))
    return made


def songshan(config: Config, *arguments: str | bytes | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SONGSHAN, "--home", config.home, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "SONGSHAN_LANG": "en"},
    )


def only_command(config: Config) -> tuple[Command, tuple[Path, ...]]:
    (name,) = spool.pending(config)
    return spool.read(config, name)


@contextmanager
def an_agent(config: Config, refuse: bool = False) -> Iterator[None]:
    """As much of an agent as carries out what lies in the spool."""
    over = threading.Event()

    def effect(_db: object) -> None:
        if refuse:
            raise Refused(Text("新闻超市里没有", "no such offer"))

    def live() -> None:
        with writing(config.database) as db:
            facts.set_status(db, Agent(pid=os.getpid()), time.time_ns() // 1000)
            ready.set()
            while not over.wait(0.02):
                for name in spool.pending(config):
                    desk.carry_out(db, name, spool.read(config, name)[0], effect)
                    spool.finish(config, name)

    ready = threading.Event()
    living = threading.Thread(target=live)
    living.start()
    try:
        assert ready.wait(10)
        yield
    finally:
        over.set()
        living.join(10)


def test_a_submitted_file_lies_in_the_spool_with_its_bytes(config: Config, tmp_path: Path) -> None:
    """The editor may delete the file the moment the command returns."""
    (tmp_path / "秋色.mp4").write_bytes(b"clip")
    (tmp_path / "封面.jpg").write_bytes(b"picture")
    done = songshan(
        config, "submit", tmp_path / "秋色.mp4", tmp_path / "封面.jpg", "--section", "service", "--summary", "红叶"
    )
    assert done.returncode == 0, done.stderr
    assert "does not run" in done.stdout
    (tmp_path / "秋色.mp4").unlink()
    command, attachments = only_command(config)
    assert isinstance(command, Submit)
    assert (command.title, command.files, command.section, command.summary, command.via) == (
        "秋色",
        ("秋色.mp4", "封面.jpg"),
        "service",
        "红叶",
        "cli",
    )
    assert [path.read_bytes() for path in attachments] == [b"clip", b"picture"]


NAMES = {
    "newline": (b"a\nb.mp4", "a b"),
    "255 bytes of Chinese": (("嵩" * 83 + ".mp4").encode() + b"12", "嵩" * 83),
    "GBK": ("早间新闻.mp4".encode("gb18030"), "早间新闻"),
    "leading dash": (b"-rf.mp4", "-rf"),
    "spaces": (b"  .mp4", "?"),
    "quotes": (b"'; rm -rf $HOME;.mp4", "'; rm -rf $HOME;"),
}


@pytest.mark.parametrize(("raw", "title"), NAMES.values(), ids=NAMES)
def test_files_of_any_name_can_be_sent(config: Config, tmp_path: Path, raw: bytes, title: str) -> None:
    """Names come from cameras, phones and Windows of twenty years ago."""
    assert len(raw) <= 255
    folder = tmp_path / "names"
    folder.mkdir()
    (folder / os.fsdecode(raw)).write_bytes(b"clip")
    done = subprocess.run(
        [os.fsencode(SONGSHAN), b"--home", os.fsencode(config.home), b"submit", b"--", raw],
        cwd=folder,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    command, attachments = only_command(config)
    assert isinstance(command, Submit)
    assert (command.title, attachments[0].read_bytes()) == (title, b"clip")
    assert [path.name for path in config.spool.rglob("*.mp4")] == []


def test_what_is_no_file_is_refused_and_nothing_is_put(config: Config, tmp_path: Path) -> None:
    """A folder, a fifo, an empty file, a name that is not there: each with its reason."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").write_bytes(b"")
    said = {name: songshan(config, "submit", tmp_path / name) for name in ("fifo", "empty", ".", "none")}
    assert {name: done.returncode for name, done in said.items()} == {"fifo": 1, "empty": 1, ".": 1, "none": 2}
    assert "is empty" in said["empty"].stderr
    assert "Traceback" not in "".join(done.stderr for done in said.values())
    assert spool.pending(config) == []


@pytest.mark.root
def test_on_a_full_disk_the_editor_is_told(tmp_path: Path) -> None:
    """With the next step, and with nothing half in the spool."""
    (tmp_path / "clip.mp4").write_bytes(bytes(2 * 1024 * 1024))
    with small_disk(tmp_path / "disk") as disk:
        config = installed(disk)
        done = songshan(config, "submit", tmp_path / "clip.mp4")
        assert (done.returncode, "no room for it on the disk" in done.stderr) == (1, True)
        assert [path for path in config.spool.rglob("*") if path.is_file()] == []


def test_taking_and_answering_are_commands_too(config: Config) -> None:
    """They wait for the agent like everything else."""
    assert songshan(config, "take", "i1").returncode == 0
    command, _attachments = only_command(config)
    assert isinstance(command, Take)
    spool.finish(config, spool.pending(config)[0])
    assert songshan(config, "answer", "o1", "declined", "--note", "人手不够").returncode == 0
    command, _attachments = only_command(config)
    assert isinstance(command, Answer)
    assert (command.order, command.answer, command.note) == ("o1", "declined", "人手不够")
    assert songshan(config, "take", "../../etc").returncode == 2


def test_a_redaction_names_the_record_that_stands_there_now(config: Config) -> None:
    """The command may lie in the spool while a restore puts another record into that place."""
    own = f"{config.site}/report"
    with writing(config.database) as db, transaction(db):
        stands = append_own(db, own, [("tip", "t1", b'{"id":"t1"}')], AT_US)
    assert songshan(config, "redact", "t1", "--reason", "x").returncode == 0
    command, _attachments = only_command(config)
    assert isinstance(command, Redact)
    assert (command.epoch, command.seq, command.hash) == (1, 1, stands.head)


def test_with_an_agent_the_outcome_is_the_exit_status(config: Config) -> None:
    """A script that takes an item must know whether it was taken."""
    with an_agent(config):
        done = songshan(config, "take", "i1")
        assert (done.returncode, done.stdout) == (0, "done\n")
    with an_agent(config, refuse=True):
        done = songshan(config, "untake", "i1")
        assert (done.returncode, done.stderr) == (1, "no such offer\n")


def test_orders_are_listed_for_people_and_programs(config: Config) -> None:
    """Unanswered first."""
    with writing(config.database) as db, transaction(db):
        desk.receive_order(db, Order(id="o1", title="报送画面", body="今晚六点前", due="2026-11-24T10:00:00Z"), AT_US)
    text = songshan(config, "orders").stdout
    assert "o1  new  2026-11-24 18:00:00  报送画面" in text
    told = json.loads(songshan(config, "orders", "--json").stdout)
    assert [(order["id"], order["state"], order["due"]) for order in told["orders"]] == [
        ("o1", "new", "2026-11-24T10:00:00Z")
    ]


def test_orders_without_a_database_say_what_to_do(config: Config) -> None:
    """Exit 1 and the next step."""
    done = songshan(config, "orders")
    assert (done.returncode, "songshan agent" in done.stderr) == (1, True)
