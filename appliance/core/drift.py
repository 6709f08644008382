"""What somebody changed on a box by hand (改动): what Ansible left, against what is there now. Pure.

    differences(recorded, now, texts) -> one Drift for each, with one sentence
    adopted(recorded, now, names)     -> what is recorded once a person has accepted some of them

What is watched is said by the roles (Managed). What the machine changes by itself is not among it: a release that was
upgraded is the same links, a service that failed is an incident and nobody's hand.
"""

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Final, Literal

import msgspec

from appliance.core.errors import Text

LINE_CHARS_MAX: Final = 60
FILES_MAX: Final = 500

Kind = Literal["changed", "gone", "added", "rights", "link", "off", "stopped", "masked", "package", "firewall"]
FIREWALL: Final = "nftables"


class Managed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is watched: files and links by path, every file of some folders, units, packages."""

    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True):
    """A file or link as it lies there. `target` is a link's, `sha256` a file's."""

    sha256: str = ""
    target: str = ""
    mode: int = 0
    owner: str = ""


class Unit(msgspec.Struct, frozen=True):
    """Of `systemctl show`: UnitFileState, ActiveState, Result."""

    enabled: str = ""
    active: str = ""
    result: str = ""


class Seen(msgspec.Struct, frozen=True):
    """All that is watched, at one moment; paths that are not there have no entry."""

    entries: dict[str, Entry] = {}
    units: dict[str, Unit] = {}
    packages: tuple[str, ...] = ()
    """Those that are installed."""
    firewall: str = ""
    """The hash of the rules in force."""


class Drift(msgspec.Struct, frozen=True):
    """One thing that is not as Ansible left it. `can_adopt`: whether a person may accept it as it is: a file that was
    written, not one that is missing, nor what stands still."""

    kind: Kind
    what: str
    text: Text
    can_adopt: bool = False


def differences(
    recorded: Seen, now: Seen, texts: Mapping[str, tuple[str, str]], times: Mapping[str, str]
) -> tuple[Drift, ...]:
    """Everything that differs, by path and name. `texts` are former and present text of changed files, `times` when."""
    found = [*_of_entries(recorded, now, texts, times), *_of_units(recorded, now), *_of_packages(recorded, now)]
    if recorded.firewall != now.firewall:
        text = Text(
            "防火墙正在用的规则被手工改过，与 /etc/nftables.conf 不一致",
            "the rules of the firewall in force were changed by hand and are not those of /etc/nftables.conf",
        )
        found.append(Drift("firewall", FIREWALL, text))
    return tuple(found)


def adopted(recorded: Seen, now: Seen, names: Collection[str]) -> Seen:
    """The record, with these files as they are now; all else is held against what it was."""
    kept = {path: entry for path, entry in recorded.entries.items() if path not in names}
    accepted = {path: now.entries[path] for path in names if path in now.entries}
    return msgspec.structs.replace(recorded, entries=dict(sorted({**kept, **accepted}.items())))


def changed_files(recorded: Seen, now: Seen) -> tuple[str, ...]:
    """The files that are there as before, with another text."""
    both = sorted(recorded.entries.keys() & now.entries.keys())
    return tuple(path for path in both if _is_rewritten(recorded.entries[path], now.entries[path]))


def _is_rewritten(was: Entry, is_now: Entry) -> bool:
    return bool(was.sha256) and bool(is_now.sha256) and was.sha256 != is_now.sha256


def _of_entries(
    recorded: Seen, now: Seen, texts: Mapping[str, tuple[str, str]], times: Mapping[str, str]
) -> Iterator[Drift]:
    for path in sorted(recorded.entries.keys() | now.entries.keys()):
        was, is_now, when = recorded.entries.get(path), now.entries.get(path), times.get(path, "")
        at_zh, at_en = (f"于 {when} ", f" at {when}") if when else ("", "")
        if was == is_now:
            continue
        if was is None:
            text = Text(f"{path} {at_zh}被手工添加", f"{path} was added by hand{at_en}")
            yield Drift("added", path, text, can_adopt=True)
        elif is_now is None:
            yield Drift("gone", path, Text(f"{path} 被删除", f"{path} was removed"))
        elif _is_rewritten(was, is_now):
            line = _first_line(*texts.get(path, ("", "")))
            text = Text(
                f"{path} {at_zh}被手工改过{line.zh}",
                f"{path} was changed by hand{at_en}{line.en}",
            )
            yield Drift("changed", path, text, can_adopt=True)
        elif was.target != is_now.target or was.sha256 != is_now.sha256:
            leads = f"“{is_now.target}”" if is_now.target else "一个文件 a file"
            text = Text(
                f"{path} 应指向“{was.target}”，现为{leads}",
                f"{path} should lead to “{was.target}” and is {leads}",
            )
            yield Drift("link", path, text)
        else:
            text = Text(
                f"{path} 的权限被改为 {is_now.mode:04o} {is_now.owner}，应为 {was.mode:04o} {was.owner}",
                f"{path} has the rights {is_now.mode:04o} {is_now.owner} and should have {was.mode:04o} {was.owner}",
            )
            yield Drift("rights", path, text)


def _first_line(before: str, after: str) -> Text:
    """Where the first difference is, short enough for one sentence; nothing where it cannot be shown."""
    old, new = before.splitlines(), after.splitlines()
    for tag, old_from, old_to, new_from, new_to in difflib.SequenceMatcher(None, old, new, False).get_opcodes():
        if tag == "equal":
            continue
        was = _short(old[old_from]) if old_to > old_from else ""
        is_now = _short(new[new_from]) if new_to > new_from else ""
        number = new_from + 1
        if was and is_now:
            return Text(f"：第 {number} 行“{was}”改成“{is_now}”", f": line {number}, “{was}” became “{is_now}”")
        if is_now:
            return Text(f"：第 {number} 行加了“{is_now}”", f": line {number}, “{is_now}” was put in")
        return Text(f"：第 {number} 行去掉了“{was}”", f": line {number}, “{was}” was taken out")
    return Text("", "")


def _short(line: str) -> str:
    shown = "".join(each if each.isprintable() else " " for each in line.strip())
    return shown if len(shown) <= LINE_CHARS_MAX else f"{shown[:LINE_CHARS_MAX]}…"


def _of_units(recorded: Seen, now: Seen) -> Iterator[Drift]:
    for name in sorted(recorded.units):
        was, is_now = recorded.units[name], now.units.get(name, Unit())
        if was.enabled != is_now.enabled and "masked" in is_now.enabled:
            yield Drift("masked", name, Text(f"{name} 被手工屏蔽", f"{name} was masked by hand"))
        elif was.enabled != is_now.enabled:
            text = Text(
                f"{name} 的开机自启被改为 {is_now.enabled or '无'}，应为 {was.enabled}",
                f"{name} is {is_now.enabled or 'gone'} for the next boot and should be {was.enabled}",
            )
            yield Drift("off", name, text)
        # What failed, or is just being started again, was stopped by nobody.
        if was.active == "active" and is_now.active == "inactive" and is_now.result == "success":
            yield Drift("stopped", name, Text(f"{name} 被手工停掉", f"{name} was stopped by hand"))


def _of_packages(recorded: Seen, now: Seen) -> Iterator[Drift]:
    for name in sorted(set(recorded.packages) - set(now.packages)):
        yield Drift("package", name, Text(f"软件包 {name} 被卸载", f"the package {name} was removed"))
