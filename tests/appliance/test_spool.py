"""What a person asked for is never lost and never done twice, whoever dies in between."""

import os
import random
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from appliance import spool
from appliance.config import Config, Limits
from appliance.core.command import COMMAND_BYTES_MAX, Submit, Take, Tip
from appliance.core.errors import DiskFull, OperatorError, Refused, Text
from appliance.store import desk
from appliance.store.database import reading, rows, writing
from tests.appliance.boxes import AT, box, dies, small_disk, started, watched
from tests.simulators.clock import SimulatedClock

WRITER = """
import sys
from pathlib import Path
from appliance import spool
from appliance.core.command import Submit
from tests.appliance.boxes import AT, box
config, source = box(Path(sys.argv[1])), Path(sys.argv[2])
print("ready", flush=True)
while True:
    command = Submit(title="t", files=("a", "b"), by="x", via="cli", at=AT)
    print(spool.put(config, command, [source, source]), flush=True)
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return box(tmp_path / "box")


def tip(text: str = "路灯不亮") -> Tip:
    return Tip(text=text, by="citizen", via="web", at=AT)


def files_in(config: Config) -> list[str]:
    return sorted(path.name for path in config.spool.rglob("*") if path.is_file())


def test_a_command_put_is_a_command_read(config: Config, tmp_path: Path) -> None:
    """The file says all that was asked, and the attachments come in the order of their names."""
    for letter in "ab":
        (tmp_path / letter).write_text(letter)
    command = Submit(title="秋色", files=("a.mp4", "b.jpg"), by="编辑", via="cli", at=AT)
    name = spool.put(config, command, [tmp_path / "a", tmp_path / "b"])
    assert spool.pending(config) == [name]
    read, attachments = spool.read(config, name)
    assert read == command
    assert [path.read_text() for path in attachments] == ["a", "b"]


def test_more_than_ten_attachments_keep_their_order(config: Config, tmp_path: Path) -> None:
    """Number 10 comes after number 9, not after number 1."""
    for number in range(12):
        (tmp_path / str(number)).write_text(str(number))
    command = Submit(title="t", files=tuple(map(str, range(12))), by="x", via="cli", at=AT)
    name = spool.put(config, command, [tmp_path / str(number) for number in range(12)])
    _command, attachments = spool.read(config, name)
    assert [path.read_text() for path in attachments] == list(map(str, range(12)))


def test_commands_are_read_in_the_order_in_which_they_came(config: Config) -> None:
    """Take and untake mean something else the other way round, also when the clock was set back in between."""
    names = [spool.put(config, tip(str(number))) for number in range(20)]
    ahead = f"{int(time.time() * 1e6) + 3_600_000_000:020d}-{'f' * 12}"
    (config.spool / "new" / names[-1]).rename(config.spool / "new" / ahead)
    names[-1] = ahead
    names.append(spool.put(config, tip("after the clock was set back")))
    assert spool.pending(config) == names


def test_finishing_forgets_the_command_and_its_files(config: Config, tmp_path: Path) -> None:
    """And finishing again, after a crash in between, is no error."""
    (tmp_path / "a").write_text("a")
    name = spool.put(config, Submit(title="t", files=("a",), by="x", via="cli", at=AT), [tmp_path / "a"])
    spool.finish(config, name)
    spool.finish(config, name)
    assert files_in(config) == []


def test_a_refused_command_is_set_aside_with_its_reason(config: Config, tmp_path: Path) -> None:
    """What cannot be carried out must not block what comes after it, and must not vanish without a word."""
    (tmp_path / "a").write_text("a")
    name = spool.put(config, Submit(title="t", files=("a",), by="x", via="cli", at=AT), [tmp_path / "a"])
    spool.refuse(config, name, Text("不行", "no"))
    spool.refuse(config, name, Text("不行", "no"))
    assert spool.pending(config) == []
    assert files_in(config) == [name, f"{name}.reason"]
    assert (config.spool / "refused" / f"{name}.reason").read_text() == "不行\nno\n"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"not json",
        b'{"kind":"reboot","by":"x","via":"cli","at":"2026-11-24T06:00:00Z"}',
        b'{"kind":"take","by":"x","via":"cli","at":"2026-11-24T06:00:00Z","item":"../x"}',
        b'{"kind":"take","by":"x","via":"cli","at":"yesterday","item":"x"}',
        b"[" * 100_000,
        b" " * (COMMAND_BYTES_MAX + 1),
        b'{"kind":"tip","by":"x","via":"web","at":"2026-11-24T06:00:00Z","text":"' + b"a" * 5000 + b'"}',
        b'{"kind":"tip","by":"x","via":"web","at":"2026-11-24T06:00:00Z","text":"\xff"}',
    ],
    ids=range(10),
)
def test_a_file_that_holds_no_command_is_refused_with_words(config: Config, data: bytes) -> None:
    """Anybody of the group may write into the spool, so what lies there is read as if a stranger had written it."""
    spool.make_folders(config)
    name = f"{1:020d}-{'a' * 12}"
    (config.spool / "new" / name).write_bytes(data)
    with pytest.raises(OperatorError):
        spool.read(config, name)


@pytest.mark.parametrize("name", ["../appliance.toml", "/etc/passwd", "", ".", "x", f"{1:020d}-{'a' * 12}/../x"])
def test_no_other_name_becomes_a_path(config: Config, name: str) -> None:
    """The name of a command must not lead out of the spool."""
    spool.make_folders(config)
    for use in (lambda: spool.read(config, name), lambda: spool.finish(config, name)):
        with pytest.raises(OperatorError):
            use()
    with pytest.raises(OperatorError):
        spool.refuse(config, name, Text("a", "a"))


def test_files_with_other_names_are_no_commands(config: Config) -> None:
    """What is still being written, or was left by an editor, is not carried out."""
    name = spool.put(config, tip())
    for other in (".1234.part", "README", f"{name}~"):
        (config.spool / "new" / other).write_bytes(b"x")
    assert spool.pending(config) == [name]


def test_a_command_that_could_not_be_carried_out_is_not_put(config: Config) -> None:
    """The mistake is told to whoever makes it, not to the log of the agent."""
    with pytest.raises(OperatorError):
        spool.put(config, Take(item="../../x", by="x", via="cli", at=AT))
    with pytest.raises(OperatorError):
        spool.put(config, tip("\udcff"))
    assert spool.pending(config) == []


def test_attachments_that_are_no_files_are_refused_and_nothing_is_put(config: Config, tmp_path: Path) -> None:
    """A folder, a fifo and a device have no bytes to send."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "good").write_text("good")
    command = Submit(title="t", files=("a", "b"), by="x", via="cli", at=AT)
    for bad in (tmp_path, tmp_path / "fifo", Path("/dev/zero")):
        with pytest.raises(Refused):
            spool.put(config, command, [tmp_path / "good", bad])
    assert files_in(config) == []


def test_a_flood_is_refused_at_the_door(tmp_path: Path) -> None:
    """Ten thousand tips an hour must not fill the disk while the agent is down."""
    config = box(tmp_path / "box", limits=Limits(spool_waiting_max=10))
    for _number in range(10):
        spool.put(config, tip())
    with pytest.raises(Refused) as caught:
        spool.put(config, tip())
    assert caught.value.hint is not None
    assert len(spool.pending(config)) == 10


def test_what_killed_writers_left_is_swept(config: Config, tmp_path: Path) -> None:
    """Half a file at once, since nobody holds it; an attachment whose command may still come once it is old. What waits
    keeps its attachments however long it waits."""
    (tmp_path / "a").write_text("a")
    name = spool.put(config, Submit(title="t", files=("a",), by="x", via="cli", at=AT), [tmp_path / "a"])
    for litter in (f"new/.{'a' * 16}.part", f"blob/.{'b' * 16}.part", f"blob/{2:020d}-{'b' * 12}.0"):
        (config.spool / litter).write_bytes(b"x")
    spool.sweep(config, time.time())
    assert len(files_in(config)) == 3
    spool.sweep(config, time.time() + 2 * spool.ORPHAN_S)
    assert files_in(config) == [name, f"{name}.0"]


@pytest.mark.root
def test_on_a_full_disk_nothing_half_is_put(tmp_path: Path) -> None:
    """The editor is told, and the agent never sees a command without its file."""
    (tmp_path / "big").write_bytes(bytes(2 * 1024 * 1024))
    (tmp_path / "small").write_bytes(b"small")
    command = Submit(title="t", files=("a", "b"), by="x", via="cli", at=AT)
    with small_disk(tmp_path / "disk") as disk:
        config = box(disk, limits=Limits(reserve_bytes=0))
        with pytest.raises(DiskFull):
            spool.put(config, command, [tmp_path / "small", tmp_path / "big"])
        assert files_in(config) == []
        spool.put(config, command, [tmp_path / "small", tmp_path / "small"])


@pytest.mark.root
def test_no_file_of_a_person_takes_the_reserve_and_no_command_is_kept_out_by_it(tmp_path: Path) -> None:
    """The database and the air need it more; an answer to an order needs next to nothing."""
    (tmp_path / "clip").write_bytes(bytes(700_000))
    command = Submit(title="t", files=("a",), by="x", via="cli", at=AT)
    with small_disk(tmp_path / "disk") as disk:
        config = box(disk, limits=Limits(reserve_bytes=600_000))
        with pytest.raises(DiskFull, match="too few"):
            spool.put(config, command, [tmp_path / "clip"])
        assert files_in(config) == []
        spool.put(config, Take(item="i1", by="x", via="cli", at=AT))
        assert len(spool.pending(config)) == 1


def test_a_writer_killed_at_any_moment_leaves_whole_commands_or_none(config: Config, tmp_path: Path) -> None:
    """A command that is seen has all its files, and one whose name was returned is there."""
    data = random.Random(1).randbytes(300_000)
    (tmp_path / "source").write_bytes(data)
    returned: set[str] = set()
    for round_number in range(6):
        writer = started(WRITER, config.home, tmp_path / "source")
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        returned.add(writer.stdout.readline().strip())
        deadline = time.monotonic() + 0.004 * round_number
        while time.monotonic() < deadline:
            pass
        writer.send_signal(signal.SIGKILL)
        returned |= {line.strip() for line in writer.stdout if line.endswith("\n")}
        writer.wait(10)
        writer.stdout.close()
    pending = spool.pending(config)
    assert returned <= set(pending)
    assert len(returned) >= 6
    for name in pending:
        _command, attachments = spool.read(config, name)
        assert [path.read_bytes() == data for path in attachments] == [True, True]


def test_a_writer_killed_at_any_step_leaves_a_whole_command_or_none(config: Config, tmp_path: Path) -> None:
    """As above, at each single change of the file system."""
    (tmp_path / "a").write_text("a")
    command = Submit(title="t", files=("a", "b"), by="x", via="cli", at=AT)
    steps = 1
    while dies(lambda: spool.put(config, command, [tmp_path / "a", tmp_path / "a"]), steps):
        steps += 1
        for name in spool.pending(config):
            assert [path.read_text() for path in spool.read(config, name)[1]] == ["a", "a"]
    assert steps > 8
    spool.sweep(config, time.time() + 2 * spool.ORPHAN_S)
    assert len(files_in(config)) == 3 * len(spool.pending(config))


EFFECT = "INSERT INTO tips SELECT ? || '#' || count(*), ?, '', 1 FROM tips"


def carry_out_all(config: Config) -> None:
    """What an agent does with the spool; each effect shows when it happened twice."""
    with writing(config.database) as db:
        for name in spool.pending(config):
            command, _files = spool.read(config, name)
            assert isinstance(command, Tip)
            values = (name, command.text)
            desk.carry_out(watched(db), name, command, lambda db, values=values: db.execute(EFFECT, values))
            spool.finish(config, name)


def test_an_agent_killed_at_any_step_carries_each_command_out_once(config: Config) -> None:
    """Neither lost nor doubled: the effect and the note that it was done are one transaction."""
    writing(config.database).__enter__().close()
    put: list[str] = []
    steps = 1
    while True:
        for _count in range(2):
            put.append(str(len(put)))
            spool.put(config, tip(put[-1]))
        if not dies(lambda: carry_out_all(config), steps):
            break
        carry_out_all(config)
        steps += 1
    assert steps > 15
    assert spool.pending(config) == []
    with reading(config.database) as db:
        assert sorted(int(row["text"]) for row in rows(db, "SELECT text FROM tips")) == list(map(int, put))
        assert {each.outcome for each in desk.audit(db)} == {"done"}


def test_an_agent_killed_while_refusing_loses_neither_the_command_nor_the_reason(config: Config) -> None:
    """It waits, or it lies aside with its reason."""
    name = spool.put(config, tip())
    steps = 1
    while dies(lambda: spool.refuse(config, name, Text("不行", "no")), steps):
        steps += 1
        aside = config.spool / "refused"
        assert spool.pending(config) == [name] or (aside / f"{name}.reason").exists()
        assert spool.pending(config) == [name] or (aside / name).exists()
    assert (steps > 3, spool.pending(config)) == (True, [])


def test_a_refused_command_is_on_record_and_has_done_nothing(config: Config) -> None:
    """What was refused half way through must not stay half done."""
    name = spool.put(config, Take(item="none", by="技术员", via="tui", at=AT))
    command, _files = spool.read(config, name)

    def effect(db: object) -> None:
        db.execute("INSERT INTO tips VALUES ('half', 'x', '', 1)")  # type: ignore[attr-defined]
        raise Refused(Text("不行", "no"))

    with writing(config.database) as db:
        first = desk.carry_out(db, name, command, effect)
        again = desk.carry_out(db, name, command, lambda _db: pytest.fail("done twice"))
        assert first == again
        assert (first.outcome, first.reason, first.by, first.via) == ("refused", Text("不行", "no"), "技术员", "tui")
        assert rows(db, "SELECT * FROM tips") == []


def test_a_clock_before_1970_hides_no_command(config: Config) -> None:
    """A name with a sign in it is none, and what it asks for would wait for ever."""
    early = replace(config, clock=SimulatedClock(now_us=-3_600_000_000))
    names = [spool.put(early, tip()), spool.put(early, tip())]
    assert spool.pending(config) == names


def test_the_group_may_put_commands_whoever_made_the_folders(config: Config) -> None:
    """A restore makes them under a umask that takes the group's right away: no citizen's tip would arrive."""
    spool.make_folders(config)
    folders = [path for path in config.spool.iterdir() if path.is_dir()]
    for folder in folders:
        folder.chmod(0o2750)
    spool.make_folders(config)
    assert {folder.stat().st_mode & 0o7777 for folder in folders} == {0o2770}
