"""`songshan audit verify`: is what this box was told, and what it said, complete, unforked and signed?

For an auditor who has the public keys and the journal, and trusts nothing else: no table, no agent, no hub.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import click
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from appliance.auditing import audit_folder, folders_in, size_bytes_of
from appliance.command import Box, complain, now_us, pass_box, say, say_json
from appliance.config import Config
from appliance.core.audit import Audited, Missing, Redactions
from appliance.core.errors import OperatorError, Refused, Text
from appliance.core.journal import parse_public_key
from appliance.core.moment import US, to_text
from appliance.core.wire import stream_of_site
from appliance.progress import ProgressLine
from appliance.store import audit as table
from appliance.store.database import reading

UNSIGNED_US_MAX: Final = 120 * US
"""What this site said in the last moments may still wait for the agent's signature; anything older may not."""


Part = Callable[[int, int], Callable[[int], None]]
"""Given what is done before a part of the work and what there is in all: who is told what of the part is done."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the audit found. `problems` is all that is wrong, of streams and beyond."""

    streams: tuple[Audited, ...]
    records: int
    problems: tuple[Text, ...]


@click.group()
def audit() -> None:
    """审计：流水是否完整、未分叉、有签名。 Whether the journals are complete, unforked and signed.

    Example: songshan audit verify
    """


@audit.command()
@click.argument("path", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--key", "keys", multiple=True, metavar="BASE64", help="a public key that may have signed; may be repeated"
)
@click.option("--json", "as_json", is_flag=True, help="for programs")
@pass_box
def verify(box: Box, path: Path | None, keys: tuple[str, ...], as_json: bool) -> None:
    """核对每条流水的链、签名与缺口；PATH 为拷出来的流水文件夹。 Check chains, signatures and gaps, from the keys alone.

    Without PATH the box's own database, with its own keys; with PATH a folder of journals, with the keys given.
    Exits 1 with every problem. Example: songshan audit verify /mnt/usb --key BASE64
    """
    given = tuple(parse_public_key(key) for key in keys)
    if path is not None and not given:
        raise OperatorError(Text("核对文件夹须给出 --key", "a folder is checked with --key"))
    progress = ProgressLine(Text("核对流水", "checking the journals"))
    report = of_box(box.config, given, progress.part) if path is None else of_folder(path, given, progress)
    progress.end()
    if as_json:
        say_json(report)
    else:
        _show(report)
    if report.problems:
        if as_json:
            complain(Refused(*report.problems))
            click.get_current_context().exit(1)
        raise Refused(*report.problems)


def of_box(config: Config, given: tuple[Ed25519PublicKey, ...], part: Part) -> Report:
    """Everything in box.db. What is received is signed by the hub, what is said by this site."""
    own = stream_of_site(config.site)
    redactions, found, missing = Redactions(), list[Audited](), list[Missing]()
    with reading(config.database) as db:
        db.conn.execute("BEGIN")
        hub = table.keys_of_hub(db, config.hub.id, config.hub.sign_key) if config.hub is not None else ()
        expected = table.streams(db)
        total, done = sum(expected.values()), 0
        for stream, count in expected.items():
            keys = (_own_key(config),) if stream == own else hub
            told = part(done, total)
            audited, without_body = table.audit_table(db, stream, (*keys, *given), redactions, told)
            found.append(audited)
            missing += without_body
            done += count
        broken = (*table.broken_asrun(db), *table.contradicted(db, redactions))
    unsigned = [_unsigned(each, is_own=each.stream == own) for each in found]
    return _report(found, (*broken, *redactions.unaccounted(missing), *(each for each in unsigned if each is not None)))


def of_folder(path: Path, keys: tuple[Ed25519PublicKey, ...], progress: ProgressLine) -> Report:
    """Every stream at or below a folder: what a disk carried, or a copy of the hub's."""
    folders = folders_in(path)
    sizes = {folder: size_bytes_of(folder) for folder in folders}
    redactions, found, missing, done = Redactions(), list[Audited](), list[Missing](), 0
    for folder, stream in folders.items():
        told = progress.part(done, sum(sizes.values()))
        audited, without_body = audit_folder(folder, stream, keys, redactions, told)
        found.append(audited)
        missing += without_body
        done += sizes[folder]
    return _report(found, redactions.unaccounted(missing))


def _report(found: list[Audited], besides: Iterable[Text]) -> Report:
    problems = (*(problem for each in found for problem in each.problems), *besides)
    return Report(streams=tuple(found), records=sum(each.records for each in found), problems=problems)


def _unsigned(audited: Audited, *, is_own: bool) -> Text | None:
    """Records that nobody has vouched for."""
    if not audited.unsigned:
        return None
    if is_own and audited.unsigned_since_us is not None and now_us() - audited.unsigned_since_us < UNSIGNED_US_MAX:
        return None
    return Text(
        f"{audited.stream}：末尾 {audited.unsigned} 条没有签名",
        f"{audited.stream}: the last {audited.unsigned} records are not signed",
    )


def _own_key(config: Config) -> Ed25519PublicKey:
    """The public half, that everybody on the box may read."""
    path = config.sign_key.with_name(f"{config.sign_key.name}.pub")
    try:
        key = load_ssh_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise OperatorError(Text(f"读不出公钥 {path}", f"cannot read the public key {path}")) from error
    if not isinstance(key, Ed25519PublicKey):
        raise OperatorError(Text(f"{path} 不是 Ed25519 公钥", f"{path} is no Ed25519 key"))
    return key


def _show(report: Report) -> None:
    for each in report.streams:
        signed = to_text(each.signed_at_us) if each.signed_at_us is not None else "-"
        say(
            Text(
                f"{each.stream}：{each.records} 条，至 {each.epoch}:{each.seq}，签于 {signed}，抹除 {each.redacted} 条",
                f"{each.stream}: {each.records} records, to {each.epoch}:{each.seq}, signed {signed}, "
                f"{each.redacted} redacted",
            )
        )
        if each.set_aside:
            say(Text(f"  曾分叉，留证 {each.set_aside} 条", f"  had forked: {each.set_aside} records kept as evidence"))
        if each.snapshots:
            say(Text(f"  经 {each.snapshots} 个签名快照", f"  leaps over {each.snapshots} signed snapshots"))
    if not report.problems:
        say(Text("完整、未分叉、有签名", "complete, unforked, signed"))
