"""`songshan status` and `songshan readiness`: how the box is, and what of the coming hours is ready."""

from collections.abc import Sequence

import click

from appliance.command import Box, language, now_us, pass_box, say, say_json
from appliance.commands.overview import clock_of, lines
from appliance.config import Config
from appliance.core import findings
from appliance.core.asset import parse_digest
from appliance.core.errors import OperatorError, Text
from appliance.core.facts import as_facts
from appliance.core.moment import US
from appliance.core.readiness import Ready, arrivals_us, describe, forecast
from appliance.store.database import reading
from appliance.store.facts import look
from appliance.store.readiness import readiness_of, stock

HOURS_MAX = 24 * 14


@click.command()
@click.option("--json", "as_json", is_flag=True, help="for programs")
@click.option("--plain", is_flag=True, help="numbered lines, for a terminal that can show little")
@pass_box
def status(box: Box, as_json: bool, plain: bool) -> None:
    """本机概况：播出、备播、线路、同步、磁盘、时间、告警。 Everything that the overview screen shows.

    Works with the agent dead and without a database.

    Example: songshan status --plain
    """
    seen = look(box.config, now_us())
    if as_json:
        say_json({**as_facts(seen), "severity": seen.severity})
        return
    for number, line in enumerate(lines(seen), start=1):
        text = line.in_language(language())
        click.echo(f"{number}. {text}" if plain else text)


@click.command()
@click.argument("channel", required=False)
@click.option("--hours", default=24.0, show_default=True, type=click.FloatRange(0, HOURS_MAX), help="how far ahead")
@click.option("--asset", "digests", multiple=True, help="whether this asset could air, whatever the schedule says")
@click.option("--json", "as_json", is_flag=True, help="for programs")
@pass_box
def readiness(box: Box, channel: str | None, hours: float, digests: Sequence[str], as_json: bool) -> None:
    """备播：每条将播节目是否就绪、何时就绪、迟多久、为何不能播。 Each coming entry: ready, ready by, late by, cannot.

    Example: songshan readiness dengfeng-1 --hours 12
    """
    config = box.config
    if digests:
        _assets(config, digests, as_json)
        return
    channels = [channel] if channel is not None else [each.id for each in config.channels]
    if channel is not None and config.channel(channel) is None:
        raise OperatorError(
            Text(f"没有频道 {channel}", f"there is no channel {channel}"),
            hint=Text("、".join(each.id for each in config.channels), ", ".join(each.id for each in config.channels)),
        )
    moment_us = now_us()
    with reading(config.database) as db:
        rows = readiness_of(db, config, channels, moment_us, moment_us + round(hours * 3600 * US))
    if as_json:
        say_json({"now": as_facts({"now_us": moment_us})["now"], "entries": as_facts(rows)})
        return
    for row in rows:
        _say_row(row, config.zone)
    if not rows:
        say(Text("没有将播的节目", "nothing is coming"))


def _assets(config: Config, digests: Sequence[str], as_json: bool) -> None:
    wanted = [parse_digest(digest) for digest in digests]
    moment_us = now_us()
    with reading(config.database) as db:
        held = stock(db, config, moment_us, wanted)
    arrivals = arrivals_us(held)
    facts = []
    for digest in wanted:
        found = forecast(digest, held, arrivals)
        state = "cannot" if found.at_us is None else "ready" if found.at_us <= moment_us else "ready_by"
        made = held.renditions.get(digest)
        told = made.check.findings if made is not None and made.check is not None else ()
        facts.append(
            {
                "digest": digest,
                "state": state,
                "ready_at_us": found.at_us,
                "reason": found.reason,
                "findings": told,
            }
        )
        if not as_json:
            because = found.reason or Text("", "")
            say(Text(f"{digest} {state} {because.zh}", f"{digest} {state} {because.en}"))
    if as_json:
        say_json({"assets": as_facts(facts)})


def _say_row(row: Ready, zone: str) -> None:
    text, proof = describe(row), _proof(row, zone)
    start = clock_of(row.start_us, zone)
    say(
        Text(
            f"{start} {row.channel} {row.title} {text.zh}{proof.zh}",
            f"{start} {row.channel} {row.title} {text.en}{proof.en}",
        )
    )
    for finding in row.findings:
        if finding.severity != "info":
            told = findings.describe(finding)
            say(Text(f"    {told.zh}", f"    {told.en}"))


def _proof(row: Ready, zone: str) -> Text:
    """When the bytes were last read, or what to do about those that are not there."""
    if row.state != "ready" and row.todo is not None:
        return Text(f"。{row.todo.zh}", f". {row.todo.en}")
    if row.verified_at_us is None:
        return Text("", "")
    read = clock_of(row.verified_at_us, zone)
    return Text(f"，{read} 核验", f", verified {read}")
