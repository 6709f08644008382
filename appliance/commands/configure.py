"""`songshan configure FILE`: what Ansible wants of this box, put into `appliance.toml` where it differs.

The file is JSON: options of channels by the channel's id, and limits. What it does not name stays as it is; null is the
default. Which channels a site has is the hub's word, so none is made or taken away.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from appliance.command import Box, pass_box, say, say_json
from appliance.config import ChannelConfig, Config, config_path, load, render
from appliance.core.errors import OperatorError, Text
from appliance.durable import write_atomically
from appliance.limits import Limits

WANTED_BYTES_MAX: Final = 64 * 1024

_SETTABLE: Final = {
    "channels": {each.name: each.default for each in fields(ChannelConfig) if each.default is not MISSING},
    "limits": {each.name: each.default for each in fields(Limits)},
}


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file holds."""

    channels: dict[str, dict[str, Any]] = {}
    limits: dict[str, Any] = {}


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="tell what would change, and change nothing")
@click.option("--json", "as_json", is_flag=True, help="for programs")
@pass_box
def configure(box: Box, file: Any, dry_run: bool, as_json: bool) -> None:
    """按 JSON 设定本节点。 Put the options of a JSON file into the configuration of this box.

    Services read it when they start. Example: echo '{"limits": {"reserve_bytes": null}}' | songshan configure -
    """
    before = box.config
    after = configured(before, wanted_of(file.read(WANTED_BYTES_MAX + 1)))
    text = render(after)
    _check(text)
    changes = list(differences(before, after))
    if changes and not dry_run:
        write_atomically(config_path(box.home), text.encode())
    if as_json:
        say_json({"changed": bool(changes), "changes": changes})
    else:
        for change in changes:
            say(Text(change, change))


def wanted_of(data: bytes) -> Wanted:
    """Read the file; OperatorError when it is none."""
    try:
        return msgspec.json.decode(data[:WANTED_BYTES_MAX], type=Wanted)
    except msgspec.DecodeError as error:
        raise OperatorError(Text(f"选项读不出：{error}", f"the options cannot be read: {error}")) from error


def configured(config: Config, wanted: Wanted) -> Config:
    """The configuration with what is wanted in it. OperatorError names every option or channel that there is not."""
    problems = list(_problems(config, wanted))
    if problems:
        raise OperatorError(*problems)
    channels = tuple(
        replace(channel, **_options("channels", wanted.channels.get(channel.id, {}))) for channel in config.channels
    )
    return replace(config, channels=channels, limits=replace(config.limits, **_options("limits", wanted.limits)))


def differences(before: Config, after: Config) -> Iterator[str]:
    """What is another than it was, one line each."""
    for old, new in zip(before.channels, after.channels, strict=True):
        yield from _changed(f"channels.{old.id}", old, new)
    yield from _changed("limits", before.limits, after.limits)


def _changed(where: str, old: Any, new: Any) -> Iterator[str]:
    for each in fields(old):
        was, is_now = getattr(old, each.name), getattr(new, each.name)
        if was != is_now:
            yield f"{where}.{each.name}: {was!r} -> {is_now!r}"


def _problems(config: Config, wanted: Wanted) -> Iterator[Text]:
    for channel, options in wanted.channels.items():
        if config.channel(channel) is None:
            yield Text(
                f"本站没有频道 {channel}；频道由嵩山云在 enrol 时给出",
                f"this site has no channel {channel}; the hub gives channels when it enrols a site",
            )
        yield from _unknown(f"channels.{channel}", options, _SETTABLE["channels"])
    yield from _unknown("limits", wanted.limits, _SETTABLE["limits"])


def _unknown(where: str, options: dict[str, Any], known: dict[str, Any]) -> Iterator[Text]:
    for name in sorted(set(options) - set(known)):
        yield Text(f"没有选项 {where}.{name}", f"there is no option {where}.{name}")


def _options(table: str, options: dict[str, Any]) -> dict[str, Any]:
    return {name: _SETTABLE[table][name] if value is None else value for name, value in options.items()}


def _check(text: str) -> None:
    """As the services will read it: all that is wrong at once."""
    with tempfile.TemporaryDirectory() as trial:
        config_path(Path(trial)).write_text(text)
        load(Path(trial), {})
