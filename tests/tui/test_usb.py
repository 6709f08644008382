"""The page of the sticks: whose each is, what comes, how far it is; nothing is read or written that need not be."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from appliance import outbound, spool
from appliance.core.command import Did, Import
from appliance.core.errors import OperatorError, Refused, Text
from appliance.core.health import Carrying
from appliance.core.manifest import Exported, Manifest
from appliance.core.moment import US
from appliance.mounts import Mount
from tests.carrying import Pair, pair
from tests.tui.looks import Before, seen, with_faults
from tests.tui.readings import (
    GB,
    HEALTHY,
    LOOKS,
    NOW_US,
    changed,
)
from tui.gather import usb as usb_gather
from tui.gather.usb import FOLDERS, KEPT_US, LEFT, export, gather, show_folder
from tui.gather.where import Where, where
from tui.view.acts import Case
from tui.view.sheet import Asked
from tui.view.usb import ACTS, Found, Plugged

OURS = Manifest(
    whose="ours",
    site="dengfeng",
    hub="songshan",
    labelled_at="2026-11-01T02:00:00Z",
    free_bytes=98 * GB,
    total_bytes=128 * GB,
    loaded_at="2026-11-23T02:00:00Z",
    not_carried=3,
    records=412,
    assets=96,
    new_assets=61,
    new_bytes=21 * GB,
)
PROBLEM = Text("没有标签，盘上另有 照片", "no label, and other things on it: 照片")
WRONG = Text("此盘属于 songshan 与 zhongmu", "this stick goes between songshan and zhongmu")
STICK = Plugged("/media/usb", "sdb1", is_read_only=False, manifest=OURS)
LIBRARY = msgspec.structs.replace(OURS, assets=20_000, new_assets=19_000, new_bytes=410 * GB, is_counted=False)
STICKS = (
    STICK,
    Plugged("/media/usb2", "sdc1", False, Manifest(whose="empty", total_bytes=64 * GB, free_bytes=64 * GB)),
    Plugged("/media/sd", "mmcblk0p1", True, Manifest(whose="unlabelled", problem=PROBLEM, total_bytes=8 * GB)),
    Plugged(
        "/mnt/x",
        "sdd1",
        False,
        Manifest(whose="foreign", problem=WRONG, hint=Text("请换正确的盘", "take the right one")),
    ),
    Plugged("/mnt/bad", "sde1", False, Manifest(whose="unreadable", problem=Text("盘没有响应", "it does not answer"))),
    Plugged("/srv/usb", "", False, None),
)
RUNS = Exported(
    path="/media/usb2",
    pid=1,
    state="running",
    began_us=NOW_US - 100 * US,
    at_us=NOW_US,
    done_bytes=2 * GB,
    all_bytes=8 * GB,
)
COPYING = Carrying(
    state="copying",
    path="/media/usb",
    began_us=NOW_US - 400 * US,
    records=412,
    assets_done=12,
    assets_left=49,
    bytes_done=6 * GB,
    bytes_left=15 * GB,
    rate_bytes_per_s=15_000_000.0,
)
BROKEN = msgspec.structs.replace(
    COPYING, state="failed", assets_failed=2, reason=Text("盘被拔出", "the stick was pulled out")
)
DONE = msgspec.structs.replace(RUNS, state="done", done_bytes=8 * GB, records=34, assets=7, left_assets=2)
FOUND = Found(STICKS)
STATES = {
    **with_faults(FOUND, Found((STICK,)), no_configuration=None),
    "no stick": seen(Found()),
    "copying": seen(FOUND, changed(carrying=COPYING)),
    "import broke off": seen(FOUND, changed(carrying=BROKEN)),
    "both done": seen(Found(STICKS[:1], DONE), changed(carrying=msgspec.structs.replace(COPYING, state="done"))),
    "exporting": seen(Found(STICKS, RUNS), changed(carrying=msgspec.structs.replace(COPYING, state="reading"))),
    "export broke off": seen(Found(STICKS, msgspec.structs.replace(DONE, state="failed", problem=outbound.GONE))),
    "opened": seen(FOUND, asked=Asked(opened="/media/usb")),
    "a library": seen(Found((Plugged("/media/usb", "sdb1", False, LIBRARY),))),
    "a library opened": seen(Found((Plugged("/media/usb", "sdb1", False, LIBRARY),)), asked=Asked(opened="/media/usb")),
    "an empty one opened": seen(FOUND, asked=Asked(opened="/media/usb2")),
    "other things opened": seen(FOUND, asked=Asked(opened="/media/sd")),
    "a foreign one opened": seen(FOUND, asked=Asked(opened="/mnt/x")),
    "an unreadable one opened": seen(FOUND, asked=Asked(opened="/mnt/bad")),
    "pulled out since": seen(Found(), asked=Asked(opened="/media/usb")),
}


def test_the_page_looks_as_it_did(as_before: Before) -> None:
    """Every state in both languages, both sizes and both sets of glyphs."""
    as_before("usb", STATES)


@pytest.fixture
def ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """On a machine that has other things to do a process takes its time to come up."""
    monkeypatch.setattr(usb_gather, "LOOK_LIMIT_S", 60.0)
    with pair(tmp_path) as made:
        yield made


def plug(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *lines: str) -> None:
    """A mount table, and devices of which 8:17 hangs on USB."""
    table, blocks = tmp_path / "mountinfo", tmp_path / "block"
    table.write_text("".join(f"{line}\n" for line in ("1 0 254:1 / / rw - ext4 /dev/vda1 rw", *lines)))
    (tmp_path / "devices" / "usb1" / "sdb1").mkdir(parents=True)
    blocks.mkdir()
    (blocks / "8:17").symlink_to(tmp_path / "devices" / "usb1" / "sdb1")
    monkeypatch.setattr(usb_gather, "MOUNTINFO", table)
    monkeypatch.setattr(usb_gather, "BLOCKS", blocks)


def test_a_stick_is_found_by_how_it_is_plugged_in_and_says_what_it_has(
    ends: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By USB wherever it is mounted, and on any device where sticks are; never the disks that the box stands on."""
    ends.run_agent()
    ends.publish(b"news" * 1000, "i1")
    ends.export()
    plug(
        monkeypatch,
        tmp_path,
        f"2 1 8:17 / {ends.stick} rw,nosuid - vfat /dev/sdb1 rw",
        "3 1 8:33 / /media/card ro - exfat /dev/sdc1 ro",
        "4 1 254:2 / /srv rw - ext4 /dev/vdb1 rw",
        "5 1 0:5 / /media/tmp rw - tmpfs tmpfs rw",
        "6 1 0:9 / /mnt/nas rw - nfs nas:/x rw",
        f"7 1 8:17 / {ends.home} rw - ext4 /dev/sdb2 rw",
    )
    notes: dict[str, object] = {}
    found = gather(where(ends.home, {}, notes), Asked())
    assert [(each.path, each.device, each.is_read_only) for each in found.sticks] == [
        (str(ends.stick), "sdb1", False),
        ("/media/card", "sdc1", True),
    ]
    assert [each.manifest.whose if each.manifest else None for each in found.sticks] == ["ours", "unreadable"]
    assert found.sticks[0].manifest is not None and found.sticks[0].manifest.new_assets == 1


def test_what_a_stick_said_is_not_asked_again_for_a_while(ends: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look starts a process; the screen looks every two seconds."""
    here = where(ends.home, {}, {FOLDERS: (str(ends.stick),)})
    assert [each.manifest.whose for each in gather(here, Asked()).sticks if each.manifest] == ["ours"]
    (ends.stick / "songshan-usb.json").unlink()
    assert [each.manifest.whose for each in gather(here, Asked()).sticks if each.manifest] == ["ours"]
    here.now_us += KEPT_US
    assert [each.manifest.whose for each in gather(here, Asked()).sticks if each.manifest] == ["empty"]


def test_a_stick_that_does_not_answer_holds_up_nothing(
    ends: Pair, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its process hangs in the kernel for minutes; the page says so after a moment and does not wait for it."""
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(usb_gather, "LOOK_LIMIT_S", 0.2)
    monkeypatch.setattr(sys, "executable", str(slow))
    here = where(ends.home, dict(os.environ), {FOLDERS: (str(ends.stick),)})
    began_s = time.monotonic()
    (found,) = gather(here, Asked()).sticks
    assert time.monotonic() - began_s < 5
    assert found.manifest is not None and found.manifest.whose == "unreadable"
    (left,) = here.notes[LEFT]
    assert left.wait(5) == -signal.SIGKILL


def test_a_folder_is_listed_when_it_is_there_and_no_more_than_a_few(ends: Pair, tmp_path: Path) -> None:
    """For a stick that is mounted elsewhere, or a folder that somebody else carries on."""
    here = where(ends.home, {})

    def named(path: str) -> Case:
        return Case(None, HEALTHY, LOOKS["en"], Asked(), values={"path": path})

    for wrong in ("", "usb", str(tmp_path / "away"), str(ends.home / "appliance.toml")):
        with pytest.raises(OperatorError):
            show_folder(here, named(wrong))
    for _twice in range(2):
        show_folder(here, named(f" {ends.stick} "))
    assert here.notes[FOLDERS] == (str(ends.stick),)


IMPORT, EXPORT, FOLDER = ACTS


def case(found: Found, path: str, reading: object = HEALTHY) -> Case:
    return Case(found, reading, LOOKS["en"], Asked(), path, {}, "王工", "2026-11-24T06:03:00Z")  # type: ignore[arg-type]


def test_only_this_sites_stick_is_imported_and_only_ours_or_an_empty_one_is_written() -> None:
    """The word is given before anything begins; what is mounted read-only can be imported."""
    assert [IMPORT.refusal(case(FOUND, each.path)) is None for each in STICKS] == [True, *[False] * 5]
    assert [EXPORT.refusal(case(FOUND, each.path)) is None for each in STICKS] == [True, True, *[False] * 4]
    read_only = Found((Plugged("/media/usb", "sdb1", True, OURS),))
    assert [act.refusal(case(read_only, "/media/usb")) is None for act in (IMPORT, EXPORT)] == [True, False]
    busy = changed(carrying=COPYING)
    assert IMPORT.refusal(case(FOUND, "/media/usb", busy)) is not None
    assert EXPORT.refusal(case(Found(STICKS, RUNS), "/media/usb")) is not None
    asked = case(FOUND, "/media/usb")
    assert IMPORT.command is not None and IMPORT.command(asked) == Import(path="/media/usb", **asked.asked_by)


def until(holds: object, here: Where) -> Found:
    """Looks until it is so; a process is started, and has to come up."""
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        found = gather(here, Asked())
        if holds(found):  # type: ignore[operator]
            return found
        time.sleep(0.1)
    raise AssertionError(found)


def test_an_export_goes_by_itself_labels_an_empty_stick_and_is_on_record(ends: Pair, tmp_path: Path) -> None:
    """Whoever began it may close the screen; who it was is in the spool for the audit trail."""
    ends.run_agent()
    empty = tmp_path / "empty"
    empty.mkdir()
    here = where(ends.home, dict(os.environ), {FOLDERS: (str(empty),)})
    found = gather(here, Asked())
    assert found.is_empty(str(empty))
    export(here, case(found, str(empty)))
    done = until(lambda found: found.exported is not None and found.exported.state != "running", here)
    assert done.exported is not None and (done.exported.state, done.exported.path) == ("done", str(empty))
    assert [each.manifest.whose for each in done.sticks if each.manifest] == ["ours"]
    until(lambda _found: here.notes[LEFT] == [], here)
    (name,) = spool.pending(ends.config)
    command, _files = spool.read(ends.config, name)
    assert isinstance(command, Did) and (command.what, command.by) == (f"usb export {empty}", "王工")


def test_an_account_without_the_key_cannot_export_and_is_told_how(ends: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is the site's word; the screen does not lend it to whoever sits before it."""
    here = where(ends.home, {}, {FOLDERS: (str(ends.stick),)})
    found = gather(here, Asked())
    ends.config.sign_key.rename(ends.home / "away")
    with pytest.raises(Refused) as refused:
        export(here, case(found, str(ends.stick)))
    assert refused.value.hint is not None and "sudo" in refused.value.hint.en
    assert (spool.pending(ends.config), outbound.exported(ends.config)) == ([], None)


def test_the_mount_of_the_box_itself_is_no_stick() -> None:
    """A county box may well stand on a disk by USB."""
    assert usb_gather._is_stick(Mount("8:17", "/media/usb", "vfat", "/dev/sdb1", False))
    assert not usb_gather._is_stick(Mount("0:40", "/media/usb", "vfat", "none", False))
