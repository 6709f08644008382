"""The sticks: which are there, whose each is, what an import would bring, how far an import or export is. PURE."""

from dataclasses import dataclass
from typing import Final

from appliance.core.command import Command, Import
from appliance.core.errors import Text
from appliance.core.health import Carrying
from appliance.core.manifest import Exported, Manifest
from appliance.core.moment import to_us
from tui.keys import say
from tui.look import Look
from tui.rows import Advice, Fact, Level, Line, Tile
from tui.view import tiles
from tui.view.acts import Act, Case, Field, Weight
from tui.view.carrying import exporting, importing
from tui.view.reading import Reading
from tui.view.sheet import Asked, Beside, Block, Column, Prose, Sheet, Table, TableRow

LEVELS: Final = {"ours": Level.GOOD, "unreadable": Level.WARN}


@dataclass(frozen=True)
class Plugged:
    """A stick that is mounted, or a folder that was named; `device` is "" for the latter."""

    path: str
    device: str
    is_read_only: bool
    manifest: Manifest | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Another stick in the same place is another one."""
        return self.path, self.device


@dataclass(frozen=True)
class Found:
    """What is there, and the last export."""

    sticks: tuple[Plugged, ...] = ()
    exported: Exported | None = None

    def at(self, path: str) -> Plugged | None:
        """The one of a row."""
        return next((each for each in self.sticks if each.path == path), None)

    def is_empty(self, path: str) -> bool:
        """Whether it has to be labelled first, and may be."""
        each = self.at(path)
        return each is not None and each.manifest is not None and each.manifest.whose == "empty"


def sheet(found: Found | None, reading: Reading | None, look: Look, asked: Asked) -> Sheet:
    """All of them, or one."""
    now_us = reading.at_us if reading is not None else 0
    if asked.opened is not None:
        return Sheet(_opened(found or Found(), now_us, look, asked.opened))
    carrying = reading.snapshot.carrying if reading is not None and reading.snapshot is not None else Carrying()
    brought = importing(carrying, now_us, look)
    if reading is None or reading.is_unread:
        brought = tiles.unknown(brought.title, look)
    head = Beside((brought, exporting(found.exported if found else None, now_us, look)))
    return Sheet((head, _table(found, now_us, look)))


def _table(found: Found | None, now_us: int, look: Look) -> Table:
    columns = (
        Column(look.say("Stick"), 0),
        Column(look.say("Device"), 9),
        Column(look.say("Whose"), 11),
        Column(look.say("Loaded"), 11, is_right=True),
        Column(look.say("Records"), 7, is_right=True),
        Column(look.say("Files"), 6, is_right=True),
        Column(look.say("Size"), 7, is_right=True),
        Column(look.say("Free"), 6, is_right=True, from_cells=100),
    )
    rows = tuple(_row(each, now_us, look) for each in (found.sticks if found is not None else ()))
    empty = look.say("unknown") if found is None else look.say("no stick is mounted: put one in, then mount it")
    title = look.say("Sticks, and what an import would bring")
    return Table(columns, rows, empty, title, is_searchable=False)


def _row(each: Plugged, now_us: int, look: Look) -> TableRow:
    seen = each.manifest
    if seen is None:
        return TableRow(each.path, (look.data(each.path), each.device, look.say("unknown"), "-", "-", "-", "-", "-"))
    is_ours = seen.whose == "ours"
    return TableRow(
        each.path,
        (
            look.data(each.path),
            each.device or "-",
            whose(seen, look),
            look.clock(to_us(seen.loaded_at), now_us) if seen.loaded_at is not None else "-",
            str(seen.records) if is_ours else "-",
            f"{seen.new_assets}{more(seen)}" if is_ours else "-",
            f"{look.size(seen.new_bytes)}{more(seen)}" if is_ours else "-",
            look.size(seen.free_bytes) if seen.total_bytes else "-",
        ),
        LEVELS.get(seen.whose, Level.NOTE),
    )


def more(seen: Manifest) -> str:
    """Behind a figure of which more lies there than was counted."""
    return "" if seen.is_counted else "+"


def whose(seen: Manifest, look: Look) -> str:
    """In a few words."""
    words = {
        "ours": look.say("this site's"),
        "empty": look.say("empty"),
        "unlabelled": look.say("other things"),
        "foreign": look.say("another's"),
        "unreadable": look.say("not readable"),
    }
    return words[seen.whose]


def _opened(found: Found, now_us: int, look: Look, path: str) -> tuple[Block, ...]:
    each = found.at(path)
    if each is None or each.manifest is None:
        return (Prose((look.say("It was pulled out, or is not mounted any more."),)),)
    seen = each.manifest
    room = look.say("{free} of {total}").format(free=look.size(seen.free_bytes), total=look.size(seen.total_bytes))
    facts: list[Line] = [Fact(look.say("Device"), each.device or look.say("a folder"))]
    if seen.total_bytes:
        facts.append(Fact(look.say("Free"), room))
    if each.is_read_only:
        facts.append(Fact(look.say("Mounted"), look.say("read-only: enough to import")))
    blocks: list[Block] = [Tile(look.data(path), whose(seen, look), LEVELS.get(seen.whose, Level.NOTE), tuple(facts))]
    if seen.whose == "ours":
        blocks.append(Tile(look.say("An import would bring"), "", Level.GOOD, _what_comes(seen, now_us, look)))
    if seen.problem is not None:
        hint = look.of(seen.hint) if seen.hint is not None else ""
        level = max(Level.NOTE, LEVELS.get(seen.whose, Level.NOTE))
        blocks.append(Tile(look.say("Mark this"), "", level, (Advice(level, look.of(seen.problem), hint),)))
    return (*blocks, Prose((_what_next(seen, look),)))


def _what_comes(seen: Manifest, now_us: int, look: Look) -> tuple[Line, ...]:
    facts: list[Line] = [
        Fact(look.say("Between"), f"{look.data(seen.site)} - {look.data(seen.hub)}"),
        Fact(look.say("Records"), look.say("about {n} that are not here").format(n=seen.records)),
        Fact(
            look.say("Files"),
            look.say("{n} of {all} that are not here").format(n=seen.new_assets, all=f"{seen.assets}{more(seen)}"),
            f"{look.size(seen.new_bytes)}{more(seen)}",
        ),
    ]
    if seen.loaded_at is not None:
        loaded_us = to_us(seen.loaded_at)
        facts.insert(1, Fact(look.say("Loaded"), look.day_and_clock(loaded_us), look.ago(loaded_us, now_us)))
    if seen.not_carried:
        facts.append(
            Fact(look.say("No room for"), look.say("{n} files, they come next time").format(n=seen.not_carried))
        )
    return tuple(facts)


def _what_next(seen: Manifest, look: Look) -> str:
    words = {
        "ours": look.say(
            "i takes it in; x writes what the hub has not got. Wait for the word that it may be pulled out."
        ),
        "empty": look.say(
            "x labels it for this site and writes to it. Nothing is written to a stick that is not ours."
        ),
        "unlabelled": look.say("Nothing is written to it. Take an empty one."),
        "foreign": look.say("Nothing was read from it but its label. Take the right one."),
        "unreadable": look.say("Pull it out, put it in again, mount it; else take another."),
    }
    return words[seen.whose]


def _of(case: Case) -> Plugged | None:
    return case.found.at(case.row) if isinstance(case.found, Found) else None


def _why_no_import(case: Case) -> Text | None:
    each = _of(case)
    if each is None or each.manifest is None:
        return Text("请先选一个盘", "choose a stick first")
    if each.manifest.whose != "ours":
        return each.manifest.problem or Text("不是本站的盘", "it is not a stick of this site")
    snapshot = case.reading.snapshot
    if snapshot is not None and snapshot.carrying.state in ("reading", "copying"):
        return Text("正在导入另一个盘，请等它结束", "another import goes on; wait until it is over")
    return None


def _what_is_imported(case: Case) -> tuple[str, ...]:
    look, each = case.look, _of(case)
    if each is None or each.manifest is None:
        return ()
    seen = each.manifest
    told = look.say("Taken in: about {records} records and {files} files, {size}.").format(
        records=seen.records, files=f"{seen.new_assets}{more(seen)}", size=f"{look.size(seen.new_bytes)}{more(seen)}"
    )
    said = [told, look.say("Everything is checked like what comes over the line; nothing is written to the stick.")]
    snapshot = case.reading.snapshot
    disk = snapshot.storage if snapshot is not None else None
    if disk is not None and seen.new_bytes > disk.free_bytes - disk.reserve_bytes:
        said.append(look.say("The disk is short of room: what is used least goes first."))
    if snapshot is not None and not case.reading.is_unread and snapshot.agent.state != "running":
        said.append(look.say("The agent does not run: leave the stick in until it is back."))
    return tuple(said)


def _import(case: Case) -> Command:
    return Import(path=case.row, **case.asked_by)


def _why_no_export(case: Case) -> Text | None:
    each = _of(case)
    if each is None or each.manifest is None:
        return Text("请先选一个盘", "choose a stick first")
    if each.manifest.whose not in ("ours", "empty"):
        return each.manifest.problem or Text("不是本站的盘", "it is not a stick of this site")
    if each.is_read_only:
        return Text("盘以只读方式挂载：umount 后重新挂载", "it is mounted read-only: umount it and mount it anew")
    exported = case.found.exported if isinstance(case.found, Found) else None
    if exported is not None and exported.state == "running":
        return Text("正在导出，请等它结束", "an export goes on; wait until it is over")
    return None


def _what_is_exported(case: Case) -> tuple[str, ...]:
    look, snapshot = case.look, case.reading.snapshot
    said = []
    if isinstance(case.found, Found) and case.found.is_empty(case.row):
        said.append(look.say("The empty stick is labelled for this site first."))
    if snapshot is not None and not case.reading.is_unread:
        told = look.say("Written: {records} records that the hub has not got, and files of {size}.")
        size = look.size(snapshot.sync.up.left_bytes)
        said.append(told.format(records=snapshot.sync.unsent_records, size=size))
    return (*said, look.say("Not encrypted: who finds it reads it. Keep it like a key."))


def _folder(case: Case) -> tuple[Field, ...]:
    return (Field("path", case.look.say("Folder"), "text", value="/media/", is_needed=True),)


ACTS: Final = (
    Act(
        "import", "i", say("Import"), Weight.BOX, _import, preview=_what_is_imported, refusal=_why_no_import,
        needs_row=True,
    ),
    Act(
        "export", "x", say("Export"), Weight.BOX, preview=_what_is_exported, refusal=_why_no_export, needs_row=True,
    ),
    Act("folder", "n", say("Another folder"), Weight.LOOK, fields=_folder, is_light=True),
)  # fmt: skip
