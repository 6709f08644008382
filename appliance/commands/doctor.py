"""`songshan doctor`: what is wrong with this box and what to do next, also when nothing of it runs.

The bundle is made of facts chosen one by one, never of files as they are, so that no key, token or citizen's word can
be in it by oversight.
"""

import gzip
import io
import platform
import tarfile
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from appliance import incidents
from appliance.command import Box, language, now_us, pass_box, say, say_json
from appliance.commands.checks import Check, all_checks
from appliance.config import Config
from appliance.core import phone
from appliance.core.errors import Refused, SongshanError, Text, WorldError
from appliance.core.facts import as_facts
from appliance.core.withheld import withheld
from appliance.durable import write_atomically
from appliance.store.database import reading, rows
from appliance.store.desk import audit
from appliance.store.facts import look, version
from appliance.store.journals import parked

BUNDLE_BYTES_MAX: Final = 2 * 1024 * 1024
_TABLES: Final = (
    ("cursors", "SELECT stream, epoch, seq, acked_epoch, acked_seq FROM cursors"),
    ("parked", "SELECT stream, kind, count(*) AS records FROM journal WHERE state = 'parked' GROUP BY stream, kind"),
    ("items", "SELECT state, taken, count(*) AS items FROM items GROUP BY state, taken"),
    ("assets", "SELECT state, role, count(*) AS assets, sum(size_bytes) AS bytes FROM assets GROUP BY state, role"),
    ("renditions", "SELECT state, count(*) AS renditions FROM renditions GROUP BY state"),
    (
        "transfers",
        "SELECT direction, state, count(*) AS transfers, max(attempts) AS attempts FROM transfers GROUP BY 1, 2",
    ),
    ("tips", "SELECT count(*) AS tips FROM tips"),
)
_MARKS: Final = {"good": Text("正常", "ok"), "warning": Text("注意", "note"), "bad": Text("故障", "BAD")}


@click.command()
@click.option(
    "--bundle", type=click.Path(path_type=Path, dir_okay=False), help="write a redacted bundle for whoever helps"
)
@click.option("--code", metavar="DIGITS", help="what six digits mean that somebody reads over the telephone")
@click.option("--json", "as_json", is_flag=True, help="for programs")
@pass_box
def doctor(box: Box, bundle: Path | None, code: str | None, as_json: bool) -> None:
    """体检：逐项检查，给出原因和下一步；agent、数据库、网络都不在时也能用。 Checks with cause and next step.

    Exits 1 when something is broken. Example: songshan doctor --bundle /tmp/dengfeng.tar.gz
    """
    if code is not None:
        _say_code(code, as_json)
        return
    moment_us = now_us()
    checks = all_checks(box, moment_us)
    digits = phone_code(checks)
    if as_json:
        say_json({"checks": as_facts(checks), "code": digits})
    else:
        for check in checks:
            _say_check(check)
        say(
            Text(
                f"体检码 {digits[:3]} {digits[3:]}，可电话报给嵩山云运维",
                f"code for the telephone: {digits[:3]} {digits[3:]}",
            )
        )
    if bundle is not None:
        write_atomically(bundle.absolute(), bundle_of(box, checks, moment_us))
        if not as_json:
            say(
                Text(
                    f"诊断包已写入 {bundle}，不含密钥和个人信息",
                    f"wrote {bundle}; no key and no citizen's word is in it",
                )
            )
    broken = sum(check.state == "bad" for check in checks)
    if broken:
        raise Refused(Text(f"{broken} 项故障", f"{broken} broken"))


def _say_check(check: Check) -> None:
    mark, found = _MARKS[check.state].in_language(language()), check.found.in_language(language())
    click.echo(f"[{mark}] {check.name}: {found}")
    if check.hint is not None:
        click.echo(f"       -> {check.hint.in_language(language())}")


def phone_code(checks: tuple[Check, ...]) -> str:
    """What is not in order, in six digits."""
    return phone.code_of(check.name for check in checks if check.state != "good")


def _say_code(code: str, as_json: bool) -> None:
    wrong = phone.wrong_of(code)
    if as_json:
        say_json({"wrong": wrong})
    else:
        names = ", ".join(wrong)
        say(Text(f"不正常：{names}" if wrong else "全部正常", f"not in order: {names}" if wrong else "all in order"))


def bundle_of(box: Box, checks: tuple[Check, ...], now_us: int) -> bytes:
    """A tar.gz of JSON files, small enough to be mailed."""
    parts: dict[str, Any] = {
        "doctor.json": {"checks": as_facts(checks)},
        "software.json": {"version": version(), "python": platform.python_version(), "system": platform.platform()},
    }
    try:
        config = box.config
    except SongshanError:
        pass
    else:
        parts["config.json"] = _told(config)
        parts["status.json"] = _status(config, now_us)
        parts["database.json"] = _database(config)
        parts["incidents.json"] = as_facts(incidents.newest(config))
    data = _tar(parts, now_us)
    while len(data) > BUNDLE_BYTES_MAX:
        # Titles have no bound of their own; what is left out is missed less than a bundle that cannot be sent.
        parts.pop(max(parts, key=lambda name: len(msgspec.json.encode(parts[name]))))
        data = _tar(parts, now_us)
    return data


def _told(config: Config) -> dict[str, Any]:
    """The config without the keys of the hub."""
    hub = config.hub
    return {
        "site": config.site,
        "zone": config.zone,
        "channels": [channel.id for channel in config.channels],
        "web_bind": config.web_bind,
        "hub": {"host": hub.host, "port": hub.port, "host_keys": len(hub.host_keys)} if hub is not None else None,
        "limits": msgspec.to_builtins(config.limits),
    }


def _status(config: Config, now_us: int) -> Any:
    """The snapshot without what people wrote."""
    seen = look(config, now_us)
    return as_facts(
        msgspec.structs.replace(
            seen,
            orders=tuple(msgspec.structs.replace(order, body="", note=None, answered_by=None) for order in seen.orders),
        )
    )


def _database(config: Config) -> dict[str, Any]:
    try:
        with reading(config.database) as db:
            return {
                **{name: rows(db, sql) for name, sql in _TABLES},
                "parked": as_facts(parked(db)),
                "commands": [
                    {"name": each.name, "kind": each.kind, "via": each.via, "outcome": each.outcome}
                    for each in audit(db)
                ],
            }
    except WorldError as error:
        return {"error": [problem.en for problem in error.problems]}


def _tar(parts: dict[str, Any], now_us: int) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, value in parts.items():
            data = msgspec.json.format(msgspec.json.encode(withheld(value)), indent=1)
            member = tarfile.TarInfo(f"songshan-doctor/{name}")
            member.size, member.mtime, member.mode = len(data), now_us // 1_000_000, 0o640
            archive.addfile(member, io.BytesIO(data))
    return gzip.compress(packed.getvalue())
