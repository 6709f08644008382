"""`songshan-hub asrun`: what a site's channel really aired, as the site reported it, in its chain."""

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import click

from appliance.command import complain, say, say_json
from appliance.core import records, wire
from appliance.core.accidents import KIND_NAMES, KINDS, Tally, tally
from appliance.core.asrun import AiredRow
from appliance.core.errors import Refused, Text
from appliance.core.exports.asrun_csv import asrun_csv
from appliance.core.local_time import clock_text
from appliance.core.moment import to_us
from appliance.core.reported import put_together, touching
from appliance.core.schedule import day_bounds_us, day_of
from provisioning.command import pass_hub
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals
from provisioning.hub.sites import Site, site_of


@click.command()
@click.argument("site")
@click.argument("channel")
@click.option("--date", help="the broadcast day, 2026-11-24; today when not given")
@click.option("--csv", "as_csv", is_flag=True, help="a table for spreadsheets")
@click.option("--json", "as_json", is_flag=True, help="facts for programs")
@pass_hub
def asrun(folder: HubFolder, site: str, channel: str, date: str | None, as_csv: bool, as_json: bool) -> None:
    """What really aired on CHANNEL of SITE; checks its whole chain, exit status 1 when that does not hold.

    Example: songshan-hub asrun dengfeng dengfeng-1 --date 2026-11-24
    """
    folder.settings()
    known = site_of(folder, site)
    day = date if date is not None else day_of(folder.now_us(), known.zone)
    begin_us, end_us = day_bounds_us(day, known.zone)
    reported = put_together(told_rows(folder, known, channel))
    rows = touching(reported.rows, begin_us, end_us)
    counted = tally(rows, begin_us, end_us)
    if as_csv:
        click.echo(asrun_csv(rows, known.zone, {}), nl=False)
    elif as_json:
        facts = {"site": site, "channel": channel, "date": day, "rows": rows, "tally": counted}
        say_json(
            {**facts, "chain_rows": len(reported.rows), "doubled": reported.doubled, "problems": reported.problems}
        )
    else:
        _say(rows, counted, known, day)
    if reported.problems:
        complain(Refused(*reported.problems))
        click.get_current_context().exit(1)


def told_rows(folder: HubFolder, site: Site, channel: str) -> Iterator[dict[str, Any]]:
    """The rows of a channel in the site's own stream, as they came."""
    for record in HubJournals(folder).stream(wire.stream_of_site(site.site)).records():
        if record.header.kind == "asrun" and record.header.key == channel and record.body is not None:
            body = records.decode(record)
            assert isinstance(body, records.AsRun), "a kind has one shape"
            yield from body.rows


def _say(rows: tuple[AiredRow, ...], counted: Tally, site: Site, day: str) -> None:
    zone = ZoneInfo(site.zone)
    for row in rows:
        status = ", ".join(row.status)
        click.echo(f"{clock_text(to_us(row.start), zone)} {row.duration_s:>9.2f} s {row.kind:<9} {row.title} {status}")
    for kind in KINDS:
        count, name = getattr(counted, kind), KIND_NAMES[kind]
        say(
            Text(
                f"{name.zh} {count.count} 次，共 {count.duration_s:.2f} 秒",
                f"{name.en}: {count.count}, together {count.duration_s:.2f} s",
            )
        )
    if not rows:
        say(Text(f"{day} 没有播出记录", f"nothing is logged for {day}"))
