"""What the technical check (技审) found, told to whoever publishes or schedules: on standard error, the worst first."""

from collections.abc import Mapping, Sequence

import click

from appliance.command import language
from appliance.core.asset import Asset
from appliance.core.findings import Finding, describe, of_entry
from appliance.core.schedule import Schedule
from provisioning.hub.library import Library


def say_of_assets(assets: Sequence[Asset]) -> None:
    """A line for each finding, under the name of its file."""
    for asset in assets:
        _say(asset.name or asset.digest, asset.check.findings if asset.check is not None else ())


def of_schedule(library: Library, sent: Schedule) -> dict[str, tuple[Finding, ...]]:
    """By the id of the entry: what was found of its asset, and what the schedule claims of it that is not so."""
    found: dict[str, tuple[Finding, ...]] = {}
    for entry in sent.entries:
        facts = library.facts(entry.asset) if entry.asset is not None else None
        if facts is not None:
            claimed = of_entry(entry.in_s, entry.out_s, entry.duration_s, facts.asset.duration_s)
            checked = facts.asset.check.findings if facts.asset.check is not None else ()
            if claimed or checked:
                found[entry.id] = (*claimed, *checked)
    return found


def say_of_entries(found: Mapping[str, Sequence[Finding]]) -> None:
    """A line for each finding that whoever schedules should look at."""
    for entry, each in found.items():
        _say(entry, [finding for finding in each if finding.severity != "info"])


def _say(name: str, found: Sequence[Finding]) -> None:
    for finding in found:
        click.echo(f"{name}: {describe(finding).in_language(language())}", err=True)
