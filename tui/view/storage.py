"""The disks of the box by bay and serial number, what lies on them, which to pull, how one is replaced. PURE."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from appliance.core.errors import Text
from tui.look import Look
from tui.rows import Advice, Fact, Level, Line, Tile
from tui.view import tiles
from tui.view.reading import Reading
from tui.view.sheet import Asked, Block, Column, Prose, Sheet, Tab, Table, TableRow

FILES: Final = "files"
REPLACE: Final = "replace"
FULL_SHARE: Final = 0.95
HOT_C: Final = 60

Role = Literal["system", "state", "media"]
MediaState = Literal["here", "away", "empty", "foreign", "unknown"]
"""`away`: nothing is mounted there; `empty`: a disk that may be taken; `foreign`: one that holds something else."""


@dataclass(frozen=True)
class Health:
    """What the disk says of itself (SMART). `is_good` None: it could not be asked, and `note` says why."""

    is_good: bool | None = None
    temperature_c: int | None = None
    power_on_h: int | None = None
    reallocated: int | None = None
    pending: int | None = None
    worn_percent: int | None = None
    note: Text | None = None


@dataclass(frozen=True)
class Disk:
    """One whole disk. `bay` is where it is plugged in, as the machine calls it; "" where that cannot be told."""

    name: str
    size_bytes: int
    bay: str = ""
    serial: str = ""
    model: str = ""
    is_rotating: bool = False
    is_removable: bool = False
    roles: tuple[Role, ...] = ()
    points: tuple[str, ...] = ()
    health: Health = Health()


@dataclass(frozen=True)
class FileSystem:
    """What is mounted. `free_files` is the share of the names that are left, None where there is no such bound."""

    point: str
    kind: str
    source: str
    disk: str
    total_bytes: int
    free_bytes: int
    free_files: float | None = None
    is_read_only: bool = False
    roles: tuple[Role, ...] = ()


@dataclass(frozen=True)
class Found:
    """What was read. `media_path` is "" without a configuration."""

    disks: tuple[Disk, ...] = ()
    systems: tuple[FileSystem, ...] = ()
    media: MediaState = "unknown"
    media_path: str = ""
    strange: tuple[str, ...] = ()
    """The first names on a disk that is mounted in the place of the media and holds something else."""


def sheet(found: Found | None, reading: Reading | None, look: Look, asked: Asked) -> Sheet:
    """Disks, file systems or the steps of replacing one; or what was opened."""
    tabs = (
        Tab("", look.say("Disks")),
        Tab(FILES, look.say("File systems")),
        Tab(REPLACE, look.say("Replace a disk")),
    )
    if found is None:
        return Sheet(tabs=tabs, tab=asked.tab)
    if asked.opened is not None:
        return Sheet(_opened(found, reading, look, asked.opened))
    blocks: tuple[Block, ...]
    if asked.tab == FILES:
        blocks = (_systems(found, look),)
    elif asked.tab == REPLACE:
        blocks = (_picture(found, reading, look), Prose(tuple(_steps(found, look)), look.say("Step by step")))
    else:
        blocks = (_picture(found, reading, look), _disks(found, reading, look))
    return Sheet(blocks, tabs=tabs, tab=asked.tab)


def to_pull(found: Found, reading: Reading | None) -> str:
    """The name of the disk to replace, "" for none: one that says it fails, or that of the media in alarm."""
    failing = [disk.name for disk in found.disks if disk.health.is_good is False]
    snapshot = reading.snapshot if reading is not None else None
    if snapshot is not None and tiles.level_of(snapshot, "raised:media-disk"):
        failing += [disk.name for disk in found.disks if disk.roles == ("media",)]
    return failing[0] if failing else ""


def level_of(disk: Disk, pull: str) -> Level:
    """A disk that fails is data in danger; one that wears out is to be looked at."""
    health = disk.health
    if disk.name == pull or health.is_good is False:
        return Level.BAD
    is_worn = bool(health.reallocated or health.pending) or (health.worn_percent or 0) >= 90
    return Level.WARN if is_worn or (health.temperature_c or 0) > HOT_C else Level.GOOD


def _picture(found: Found, reading: Reading | None, look: Look) -> Tile:
    """The bays from the front, one a line: what to count off before a hand goes to a handle."""
    pull = to_pull(found, reading)
    words = {
        "here": (look.say("media here"), Level.GOOD),
        "away": (look.say("media away"), Level.BAD),
        "empty": (look.say("new disk"), Level.WARN),
        "foreign": (look.say("not ours"), Level.BAD),
        "unknown": (look.say("media unknown"), Level.NOTE),
    }
    word, level = words[found.media]
    worst = max((level, *(level_of(disk, pull) for disk in found.disks)), key=int)
    lines: list[Line] = []
    for disk in found.disks:
        handle = "[####]" if disk.name == pull else "[ == ]"
        text = f"{handle} {look.data(disk.name)}  {_roles(disk.roles, look)}"
        if disk.name == pull:
            text += "  " + look.say("<< pull this one")
        serial = look.say("serial {serial}").format(serial=look.data(disk.serial)) if disk.serial else ""
        lines.append(Fact(_bay(disk, look), text, serial, level_of(disk, pull) or None))
    lines += _word_on_media(found, look)
    title = look.say("Bays")
    return Tile(title, word if worst == level else look.say("a disk fails"), worst, tuple(lines))


def _word_on_media(found: Found, look: Look) -> Iterator[Line]:
    match found.media:
        case "away":
            text = look.say("nothing is mounted at {path}").format(path=look.data(found.media_path))
            yield Advice(Level.BAD, text, look.say("Mount the disk, or replace it: Tab, Replace a disk."))
        case "empty":
            text = look.say("an empty disk is mounted at {path}").format(path=look.data(found.media_path))
            yield Advice(Level.WARN, text, look.say("Take it for the media: key n."))
        case "foreign":
            names = look.data(", ".join(found.strange))
            text = look.say("the disk at {path} holds something else: {names}").format(
                path=look.data(found.media_path), names=names
            )
            yield Advice(Level.BAD, text, look.say("Use an empty disk, or make sure what this is and empty it."))
        case _:
            return


def _bay(disk: Disk, look: Look) -> str:
    if disk.is_removable and not disk.bay:
        return "USB"
    return look.data(disk.bay, "-")


def _roles(roles: tuple[Role, ...], look: Look) -> str:
    words = {"system": look.say("system"), "state": look.say("state"), "media": look.say("media")}
    return "+".join(words[role] for role in roles) or "-"


def _disks(found: Found, reading: Reading | None, look: Look) -> Table:
    pull = to_pull(found, reading)
    columns = (
        Column(look.say("Bay"), 8),
        Column(look.say("Disk"), 8),
        Column(look.say("Size"), 7, is_right=True),
        Column(look.say("Holds"), 18),
        Column("SMART", 12),
        Column(look.say("Serial number"), 0),
        Column(look.say("Model"), 24, from_cells=100),
    )
    rows = tuple(
        TableRow(
            disk.name,
            (
                _bay(disk, look),
                look.data(disk.name),
                look.size(disk.size_bytes),
                _roles(disk.roles, look),
                _smart(disk.health, look),
                look.data(disk.serial, "-"),
                look.data(disk.model, "-"),
            ),
            level_of(disk, pull),
        )
        for disk in found.disks
    )
    return Table(columns, rows, look.say("no disk can be seen"), is_searchable=False)


def _smart(health: Health, look: Look) -> str:
    if health.is_good is None:
        return look.say("not asked")
    return look.say("passed") if health.is_good else look.say("FAILS")


def _systems(found: Found, look: Look) -> Table:
    columns = (
        Column(look.say("Mounted at"), 0),
        Column(look.say("Holds"), 18),
        Column(look.say("Disk"), 8),
        Column(look.say("Kind"), 8, from_cells=100),
        Column(look.say("Size"), 7, is_right=True),
        Column(look.say("Free"), 7, is_right=True),
        Column(look.say("Used"), 5, is_right=True),
    )
    rows = tuple(
        TableRow(
            each.point,
            (
                (look.say("READ ONLY") + " " if each.is_read_only else "") + look.data(each.point),
                _roles(each.roles, look),
                look.data(each.disk, look.data(each.source, "-")),
                look.data(each.kind),
                look.size(each.total_bytes),
                look.size(each.free_bytes),
                f"{round(100 * used_share(each))}%",
            ),
            level_of_system(each),
        )
        for each in found.systems
    )
    return Table(columns, rows, look.say("nothing is mounted"), is_searchable=False)


def used_share(system: FileSystem) -> float:
    """How full it is; 0 for one without a size."""
    return 1 - system.free_bytes / system.total_bytes if system.total_bytes else 0.0


def level_of_system(system: FileSystem) -> Level:
    """One that takes no more writes is red where the box lives on it."""
    if system.is_read_only and system.roles:
        return Level.BAD
    names_gone = system.free_files is not None and system.free_files < 1 - FULL_SHARE
    return Level.WARN if (used_share(system) > FULL_SHARE or names_gone) and not system.is_read_only else Level.GOOD


def _steps(found: Found, look: Look) -> Iterator[str]:
    """What to do, in order; what is done already says so. The air goes on by the slate while there is no disk."""
    path = look.data(found.media_path, "/var/lib/songshan/media")
    yield look.say("Only for the disk of the media. For the disk of the system see the operating guide: restore.")
    if any({"media", "system"} <= set(each.roles) for each in found.systems):
        yield look.say("On this box the media lie on the disk of the system, so these steps are not for it.")
    done, now = look.say("done"), look.say("now")
    marks = {"here": ("", "", "", ""), "away": (done, now, "", ""), "foreign": (done, done, now, "")}
    one, two, three, four = (
        marks.get(found.media, ("", "", "", "")) if found.media != "empty" else (done, done, done, now)
    )
    texts = (
        (one, look.say("Note bay and serial number above. Then, as root: umount {path}, and pull the disk out.")),
        (two, look.say("Put the new one in and find its name: lsblk. As root: mkfs.ext4 -L songshan-media /dev/NAME")),
        (
            three,
            look.say(
                "Write its UUID (blkid) into /etc/fstab, then as root: mount {path} and chown songshan:songshan {path}"
            ),
        ),
        (four, look.say("Here: key n, take the new disk. Everything comes again by itself, what airs soonest first.")),
    )
    for number, (mark, text) in enumerate(texts, 1):
        yield f"{number}. {text.format(path=path)}" + (f" ({mark})" if mark else "")
    yield look.say("While there is no disk channels play the slate; nothing is forgotten, nothing fetched elsewhere.")


def _opened(found: Found, reading: Reading | None, look: Look, key: str) -> tuple[Block, ...]:
    for disk in found.disks:
        if disk.name == key:
            return (_opened_disk(disk, to_pull(found, reading), look),)
    for system in found.systems:
        if system.point == key:
            return (_opened_system(system, look),)
    return (Prose((look.say("This disk is gone."),)),)


def _opened_disk(disk: Disk, pull: str, look: Look) -> Tile:
    health = disk.health
    kind = look.say("rotating disk") if disk.is_rotating else look.say("solid state")
    facts: list[Line] = [
        Fact(look.say("Bay"), _bay(disk, look)),
        Fact(look.say("Serial number"), look.data(disk.serial, "-")),
        Fact(look.say("Model"), look.data(disk.model, "-"), kind),
        Fact(look.say("Size"), look.size(disk.size_bytes)),
        Fact(look.say("Holds"), _roles(disk.roles, look)),
        *(Fact(look.say("Mounted at"), look.data(point)) for point in disk.points),
        Fact("SMART", _smart(health, look), level=Level.BAD if health.is_good is False else None),
    ]
    if health.temperature_c is not None:
        hot = Level.WARN if health.temperature_c > HOT_C else None
        facts.append(
            Fact(
                look.say("Temperature"),
                f"{health.temperature_c} °C" if not look.plain else f"{health.temperature_c} C",
                level=hot,
            )
        )
    if health.power_on_h is not None:
        facts.append(Fact(look.say("Running for"), look.duration(health.power_on_h * 3600)))
    for label, count in (
        (look.say("Replaced sectors"), health.reallocated),
        (look.say("Doubtful sectors"), health.pending),
    ):
        if count is not None:
            facts.append(Fact(label, f"{count:,}", level=Level.WARN if count else None))
    if health.worn_percent is not None:
        facts.append(
            Fact(look.say("Worn"), f"{health.worn_percent}%", level=Level.WARN if health.worn_percent >= 90 else None)
        )
    if health.note is not None:
        facts.append(
            Advice(
                Level.NOTE, look.of(health.note), look.say("As root: smartctl -a /dev/{name}").format(name=disk.name)
            )
        )
    if disk.name == pull:
        facts.append(
            Advice(Level.BAD, look.say("this disk is to be replaced"), look.say("Esc, then Tab: Replace a disk."))
        )
    word = look.say("replace it") if disk.name == pull else _smart(health, look)
    return Tile(look.data(disk.name), word, level_of(disk, pull), tuple(facts))


def _opened_system(system: FileSystem, look: Look) -> Tile:
    facts: list[Line] = [
        Fact(look.say("Disk"), look.data(system.disk, "-"), look.data(system.source, "")),
        Fact(look.say("Kind"), look.data(system.kind)),
        Fact(look.say("Holds"), _roles(system.roles, look)),
        Fact(look.say("Size"), look.size(system.total_bytes)),
        Fact(look.say("Free"), look.size(system.free_bytes)),
    ]
    if system.free_files is not None:
        facts.append(Fact(look.say("Names left"), f"{round(100 * system.free_files)}%"))
    if system.is_read_only:
        hint = look.say("Often the first sign of a failing disk: dmesg, then replace it.")
        facts.append(Advice(level_of_system(system), look.say("it takes no writes"), hint))
    return Tile(look.data(system.point), "", level_of_system(system), tuple(facts))
