"""What the page of the machine reads: psutil, systemd, the accounts; and how it backs up and restarts when told to."""

import getpass
import grp
import os
import platform
import pwd
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psutil

from appliance import nights, spool
from appliance.core.command import Did
from appliance.core.errors import SongshanError, Text, WorldError
from appliance.core.moment import US, to_text
from appliance.store.facts import version
from tui.gather.programs import Said, ask
from tui.gather.where import Where
from tui.view.acts import Case
from tui.view.sheet import Asked
from tui.view.system import BACKUP, RESET, SERVICES, USERS, Account, Found, Machine, Moment, Unit

NOTE: Final = "machine"
HISTORY_MAX: Final = 300
SERVICES_MAX: Final = 200
ACCOUNTS_MAX: Final = 100
SYSTEMCTL_TIMEOUT_S: Final = 5.0
CHRONY_TIMEOUT_S: Final = 2.0
BACKUP_TIMEOUT_S: Final = 900.0
RESTART_TIMEOUT_S: Final = 20.0
PLAUSIBLE_C: Final = 150.0
UNITS: Final = ("songshan-*", "nginx.service", "chrony.service", "ssh.service", "kmsconvt@tty1.service")
PROPERTIES: Final = (
    "Id,Description,LoadState,ActiveState,SubState,UnitFileState,NRestarts,StateChangeTimestampMonotonic"
)
OURS: Final = "songshan"
ADMINS: Final = ("sudo", "wheel")


def gather(where: Where, asked: Asked) -> Found:
    """One side of the page; of the others nothing is read."""
    is_own = where.home is None
    match asked.tab:
        case "services":
            try:
                return Found(services=tuple(services(where)), is_own_machine=is_own)
            except SongshanError as error:
                return Found(no_services=error.problems[0], is_own_machine=is_own)
        case "users":
            return Found(accounts=tuple(_accounts()), is_own_machine=is_own)
        case "backup":
            return Found(backup=nights.backup_fact(where.box), is_own_machine=is_own)
        case "reset":
            return Found(is_own_machine=is_own)
        case _:
            return Found(machine=_machine(where.notes), is_own_machine=is_own)


assert (SERVICES, USERS, BACKUP, RESET) == ("services", "users", "backup", "reset")


def services(where: Where) -> Iterator[Unit]:
    """The units of the box as systemd has them. WorldError where there is no systemd, or it does not answer."""
    said = ask(("systemctl", "show", f"--property={PROPERTIES}", "--", *UNITS), SYSTEMCTL_TIMEOUT_S, where.environ)
    if said.status != 0:
        raise WorldError(Text(f"本机没有 systemd：{_first(said)}", f"no systemd here: {_first(said)}"))
    booted_us = time.time_ns() // 1000 - int(time.clock_gettime(time.CLOCK_BOOTTIME) * US)
    for block in said.out.split("\n\n")[:SERVICES_MAX]:
        facts = dict(line.partition("=")[::2] for line in block.splitlines())
        if facts.get("LoadState") != "loaded":
            continue
        changed_us = _number(facts.get("StateChangeTimestampMonotonic", ""))
        yield Unit(
            unit=facts.get("Id", "?"),
            about=facts.get("Description", ""),
            active=facts.get("ActiveState", ""),
            sub=facts.get("SubState", ""),
            is_enabled=facts.get("UnitFileState") in ("enabled", "enabled-runtime"),
            since_us=booted_us + changed_us if changed_us else None,
            restarts=_number(facts.get("NRestarts", "")),
        )


def back_up(where: Where, case: Case) -> Text:
    """What the timer does by night, now: by the same program, with the same rights."""
    said = ask(
        (program(), *home_words(where), "backup", "--nightly"),
        BACKUP_TIMEOUT_S,
        {**where.environ, "SONGSHAN_LANG": case.look.language},
    )
    if said.status != 0:
        raise WorldError(
            Text(f"备份失败：{_first(said)}", f"not backed up: {_first(said)}"),
            hint=Text(
                "以 songshan 账号或 root 执行 songshan backup --nightly",
                "as songshan or root: songshan backup --nightly",
            ),
        )
    return Text(_first(said), _first(said))


def restart(where: Where, case: Case) -> Text:
    """Restart the machine, and put on record who wanted it and why. WorldError where this account may not."""
    said = ask(("systemctl", "reboot", "--no-ask-password"), RESTART_TIMEOUT_S, where.environ)
    if said.status != 0:
        raise WorldError(
            Text(f"本账号不能重启机器：{_first(said)}", f"this account may not restart the machine: {_first(said)}"),
            hint=Text("以 root 执行：systemctl reboot", "as root: systemctl reboot"),
        )
    at = to_text(time.time_ns() // 1000)
    spool.put(where.box, Did(what="reboot", by=case.by, via="tui", at=at, reason=case.reason))
    return Text("正在重启", "it restarts now")


def program() -> str:
    """The `songshan` of this release, beside the interpreter that runs these screens."""
    return str(Path(sys.executable).with_name("songshan"))


def home_words(where: Where) -> tuple[str, ...]:
    """What names the same box to a program of ours."""
    return ("--home", str(where.home)) if where.home is not None else ()


def _machine(notes: dict[str, Any]) -> Machine:
    """How it is now, behind how it was at the looks before."""
    history: list[Moment] = notes.setdefault(NOTE, [])
    memory = psutil.virtual_memory()
    share = (memory.total - memory.available) / memory.total
    history.append(Moment(psutil.cpu_percent(interval=None), share, _temperature_c()))
    del history[:-HISTORY_MAX]
    return Machine(
        versions=tuple(_versions()),
        uptime_s=time.clock_gettime(time.CLOCK_BOOTTIME),
        load_1m=psutil.getloadavg()[0],
        processors=os.cpu_count() or 1,
        memory_bytes=memory.total,
        time_source=time_source(),
        history=tuple(history),
    )


def _versions() -> Iterator[tuple[str, str]]:
    yield "songshan", version()
    yield "Linux", platform.release()
    with suppress(OSError):
        yield "OS", platform.freedesktop_os_release().get("PRETTY_NAME", "")
    yield "Python", platform.python_version()
    yield "SQLite", sqlite3.sqlite_version


def _temperature_c() -> float | None:
    """The hottest of the sensors that say something believable."""
    found: list[float] = []
    with suppress(AttributeError, OSError):
        for sensors in psutil.sensors_temperatures().values():
            found += [sensor.current for sensor in sensors if 0 < sensor.current < PLAUSIBLE_C]
    return max(found, default=None)


def time_source() -> str:
    """`10.1.1.1, stratum 3` by chronyc; "" where it cannot be told."""
    with suppress(SongshanError):
        words = ask(("chronyc", "-c", "-n", "tracking"), CHRONY_TIMEOUT_S).out.strip().split(",")
        if len(words) > 2 and words[1]:
            return f"{words[1]}, stratum {words[2]}"
    return ""


def _accounts() -> Iterator[Account]:
    """Who may act here or is root, and who is logged in now."""
    here: dict[str, list[str]] = {}
    with suppress(OSError):
        for user in psutil.users()[:ACCOUNTS_MAX]:
            here.setdefault(user.name, []).append(f"{user.terminal or '?'}{f' ({user.host})' if user.host else ''}")
    ours, admins = _members(OURS), {"root"}.union(*(_members(group) for group in ADMINS))
    for name in sorted({*ours, *admins, *here, getpass.getuser()})[:ACCOUNTS_MAX]:
        yield Account(name, name in ours or name == "root", name in admins, tuple(here.get(name, ())))


def _members(group: str) -> set[str]:
    """Also those whose own group it is."""
    try:
        found = grp.getgrnam(group)
    except KeyError:
        return set()
    return {*found.gr_mem, *(user.pw_name for user in pwd.getpwall() if user.pw_gid == found.gr_gid)}


def _first(said: Said) -> str:
    """What a program complains of, else what it answers, in one line; of a wrong use the last, which says what."""
    text = said.err.strip() if said.status != 0 and said.err.strip() else said.out.strip()
    lines = text.splitlines() or ["-"]
    return lines[-1 if lines[0].startswith("Usage:") else 0][:200]


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
