"""The page of the doctor: the worst first, digits for the telephone, a bundle; also of a box that is not there."""

import socket
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.commands import checks, machine_checks, timer_checks
from appliance.config import config_path, render
from appliance.core.errors import OperatorError, Text
from appliance.core.phone import code_of, wrong_of
from tests.appliance.boxes import HUB
from tests.tui.boxes import make_box
from tests.tui.looks import Before, seen, with_faults
from tests.tui.readings import AGENT_DEAD, HEALTHY, LOOKS, MIN_US, NO_CONFIG, NOW_US
from tui.gather.doctor import again, bundle, folders, gather
from tui.gather.where import where
from tui.view.acts import Case
from tui.view.doctor import ACTS, Checked, Found, name_of, worst_first
from tui.view.sheet import Asked

WELL = (
    Checked("config", "good", Text("dengfeng，1 个频道", "dengfeng, 1 channel")),
    Checked("keys", "good", Text("/var/lib/songshan/keys/ssh", "/var/lib/songshan/keys/ssh")),
    Checked("disk", "good", Text("剩余 1144409 MiB，预留 2048", "1144409 MiB free, reserve 2048")),
    Checked("database", "good", Text("/var/lib/songshan/state/box.db 完好", "/var/lib/songshan/state/box.db is sound")),
    Checked("agent", "good", Text("运行中，进程 812", "running as process 812")),
    Checked("hub", "good", Text("hub.songshan.example:22 可达", "hub.songshan.example:22 can be reached")),
    Checked("clock", "good", Text("2026-11-24T06:03:00Z", "2026-11-24T06:03:00Z")),
)
AWAY = Checked(
    "hub",
    "warning",
    Text("连不上 hub.songshan.example:22：timed out", "hub.songshan.example:22: timed out"),
    Text("请检查线路和防火墙；本地照常运行", "check the line and the firewall; everything local goes on"),
)
DEAD = Checked(
    "agent",
    "bad",
    Text("agent 没有运行（最后 2026-11-24T03:03:00Z）", "the agent does not run (last seen: 2026-11-24T03:03:00Z)"),
    Text("songshan agent；日志：journalctl -u songshan-agent", "songshan agent; its log: journalctl -u songshan-agent"),
)
NO_BASE = Checked(
    "database", "bad", Text("还没有数据库 box.db", "there is no box.db yet"), Text("请启动 agent", "start the agent")
)
LOCKED = Checked(
    "database",
    "bad",
    Text("数据库正被别的程序占用：box.db", "another program holds the database: box.db"),
    Text("它一放开就自己恢复", "all is well once it lets go"),
)
NO_WEB = Checked(
    "web",
    "warning",
    Text("127.0.0.1:8080 无人应答", "nothing answers on 127.0.0.1:8080"),
    Text("songshan web", "songshan web"),
)
NOT_CONFIGURED = Checked("config", "bad", NO_CONFIG.problems[0], NO_CONFIG.hint)
FULL = Checked(
    "disk",
    "bad",
    Text("剩余 95 MiB，预留 2048", "95 MiB free, reserve 2048"),
    Text("请清理磁盘", "free some space on it"),
)
LATER = Checked("fan", "warning", Text("风扇 2 停转", "fan 2 stands still"), Text("更换风扇", "replace it"))


def found(*checks: Checked) -> Found:
    known = {check.name: check for check in (*WELL, *checks)}
    made = tuple(known.values())
    return Found(
        made, NOW_US - MIN_US // 2, code_of(each.name for each in made if each.state != "good"), ("/media/usb", "/tmp")
    )


STATES = {
    **with_faults(
        found(),
        agent_dead=found(DEAD),
        web_dead=found(NO_WEB),
        database_locked=found(LOCKED),
        no_database=found(NO_BASE, DEAD),
        disk_full=found(FULL),
        no_network=found(AWAY),
        no_configuration=Found((NOT_CONFIGURED,), NOW_US, code_of(["config"])),
    ),
    "everything": seen(found(DEAD, AWAY, NO_BASE, FULL, LATER), AGENT_DEAD),
    "not checked yet": seen(Found(folders=("/tmp",))),
    "a fault opened": seen(found(DEAD), AGENT_DEAD, asked=Asked(opened="4")),
    "one in order opened": seen(found(), asked=Asked(opened="0")),
    "gone since": seen(found(), asked=Asked(opened="99")),
}


def test_the_page_looks_as_it_did(as_before: Before) -> None:
    """Every state in both languages, both sizes and both sets of glyphs."""
    as_before("doctor", STATES)


def test_the_worst_is_on_top() -> None:
    """What has to be done first is read first."""
    assert [check.name for _number, check in worst_first(found(DEAD, AWAY))][:3] == ["agent", "hub", "config"]


def test_every_check_of_the_doctor_has_a_name_and_a_digit() -> None:
    """A check that is added needs both; the list of names is read from the doctor's own code."""
    import ast
    import inspect

    names = {
        node.args[0].value
        for source in (checks, machine_checks, timer_checks)
        for node in ast.walk(ast.parse(inspect.getsource(source)))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") in ("good", "wrong", "_from_error")
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    assert {"agent", "hub", "clock", "backup", "release", "key", "timers", "firewall"} <= names
    told_as = dict.fromkeys(("parked", "incident", "units", "timers", "firewall"), "alarm")
    for name in names:
        assert name_of(name, LOOKS["zh"]) != name or name == "agent"
        assert wrong_of(code_of([name])) == ({**told_as, "ports": "web", "key": "keys"}.get(name, name),)


def test_checks_are_kept_for_a_minute_and_made_anew_when_asked(tmp_path: Path) -> None:
    """Each look would dial the hub and read the whole database."""
    make_box(tmp_path)
    notes: dict[str, object] = {}
    first = gather(where(tmp_path, {}, notes), Asked())
    assert gather(where(tmp_path, {}, notes), Asked()).at_us == first.at_us
    again(where(tmp_path, {}, notes), Case(first, HEALTHY, LOOKS["en"], Asked()))
    assert gather(where(tmp_path, {}, notes), Asked()).at_us > first.at_us


def test_checks_that_take_long_keep_nobody_waiting(tmp_path: Path) -> None:
    """A hub whose packets are lost: the page says that it looks, the next page comes at once, a bundle can be made."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as silent:
        config = make_box(tmp_path)
        hub = replace(HUB, host="127.0.0.1", port=silent.getsockname()[1])
        config_path(tmp_path).write_text(render(replace(config, hub=hub)))
        notes: dict[str, object] = {}
        first = gather(where(tmp_path, {"HOME": str(tmp_path)}, notes), Asked())
        assert (first.at_us, first.checks) == (0, ())
        assert str(tmp_path) in first.folders
        threads = [thread for thread in threading.enumerate() if thread.name == "doctor"]
        gather(where(tmp_path, {}, notes), Asked())
        assert [thread for thread in threading.enumerate() if thread.name == "doctor"] == threads
        for thread in threads:
            thread.join(20)
        assert "hub" in [
            each.name for each in gather(where(tmp_path, {}, notes), Asked()).checks if each.state != "good"
        ]


def test_the_doctor_and_its_bundle_need_no_configuration(tmp_path: Path) -> None:
    """On the worst day that is all there is."""
    here = where(tmp_path / "nothing", {"HOME": str(tmp_path)})
    seen_now = gather(here, Asked())
    assert "config" in wrong_of(seen_now.code)
    assert str(tmp_path) in seen_now.folders
    case = Case(seen_now, HEALTHY, LOOKS["en"], Asked(), values={"folder": str(tmp_path)})
    said = bundle(here, case)
    (path,) = tmp_path.glob("doctor-songshan-*.tar.gz")
    assert str(path) in said.zh
    with tarfile.open(path) as packed:
        assert "songshan-doctor/doctor.json" in packed.getnames()


def test_a_bundle_goes_nowhere_but_where_it_may(tmp_path: Path) -> None:
    """A full or read-only stick is told with its name, and nothing half is left."""
    here = where(make_box(tmp_path / "box").home, {"HOME": str(tmp_path / "gone")})
    assert str(tmp_path / "gone") not in list(folders(here))
    case = Case(Found(folders=()), HEALTHY, LOOKS["en"], Asked(), values={"folder": "relative"})
    with pytest.raises(OperatorError):
        bundle(here, case)
    act = next(act for act in ACTS if act.name == "bundle")
    assert act.refusal(case) is not None
