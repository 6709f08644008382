"""`songshan-hub rollout`: how far a release has come in the counties, and whether the next wave may begin.

The playbook upgrade.yml calls it. What is decided stands in waves.py, what has happened in HUB/rollouts/VERSION.json.
"""

import time
from pathlib import Path
from typing import Final

import click
import msgspec

from appliance.command import say, say_json
from appliance.commands.desk import who
from appliance.core import moment
from appliance.core.errors import Corrupt, Refused, Text
from appliance.core.facts import as_facts
from appliance.core.release import check_version
from appliance.durable import disk_errors, make_folder, write_atomically
from provisioning.command import pass_hub
from provisioning.hub import waves
from provisioning.hub.folder import HubFolder
from provisioning.hub.machines import machines_of
from provisioning.hub.presence import is_held
from provisioning.hub.sites import all_sites
from provisioning.hub.status import read_status
from provisioning.hub.waves import County, Outcome, Rollout, State

LOOK_EVERY_S: Final = 2.0
ROLLOUTS_MAX: Final = 1000
VERSION: Final = click.argument("version")
JSON: Final = click.option("--json", "as_json", is_flag=True, help="for programs")
_STATES: Final[dict[State, Text]] = {
    "done": Text("已升级", "done"),
    "pending": Text("待升级", "pending"),
    "failed": Text("失败", "failed"),
}


@click.group()
def rollout() -> None:
    """分批升级：谁先谁后，能否继续，谁还没轮到。 A release on its way to the counties, in waves.

    Example: songshan-hub rollout status
    """


@rollout.command()
@VERSION
@click.option("--site", "reachable", multiple=True, help="a box that can be reached, in the order that is wished")
@click.option("--unreachable", multiple=True, help="one that cannot: it stays pending")
@click.option("--reason", required=True, help="why; it is on record")
@click.option("--again", is_flag=True, help="go on with a release that was stopped")
@JSON
@pass_hub
def begin(
    folder: HubFolder,
    version: str,
    reachable: tuple[str, ...],
    unreachable: tuple[str, ...],
    reason: str,
    again: bool,
    as_json: bool,
) -> None:
    """开始一轮：排出各批，记下全网此刻的样子。 Say who goes in which wave, and note how the fleet is now.

    Example: songshan-hub rollout begin 1.2.0 --site dengfeng --site gongyi --reason 月度升级
    """
    check_version(version)
    with folder.locked():
        fleet, former = counties(folder), _read(folder, version)
        planned = waves.plan(version, fleet, reachable, unreachable)
        bare = Rollout(version=version, began_us=folder.now_us(), by=who(), reason=reason)
        made = waves.begun(former, planned, fleet, bare, again=again)
        if made != former:
            _write(folder, made)
    if as_json:
        say_json(
            {**as_facts(planned), "order": [site for wave in planned.waves for site in wave], "changed": made != former}
        )
        return
    for number, wave in enumerate(planned.waves, 1):
        say(Text(f"第 {number} 批：{' '.join(wave)}", f"wave {number}: {' '.join(wave)}"))
    for words, sites in (
        (Text("已是此版本", "run it already"), planned.already),
        (_STATES["pending"], planned.pending),
    ):
        if sites:
            say(Text(f"{words.zh}：{' '.join(sites)}", f"{words.en}: {' '.join(sites)}"))


@rollout.command()
@VERSION
@click.argument("site")
@click.argument("state", type=click.Choice(["done", "pending", "failed"]))
@click.option("--why", default="", help="what was said")
@pass_hub
def note(folder: HubFolder, version: str, site: str, state: State, why: str) -> None:
    """记下一县的结果；失败即停止推送。 Note what came of one box; a failure stops the release.

    Example: songshan-hub rollout note 1.2.0 dengfeng done
    """
    with folder.locked():
        outcome = Outcome(state=state, at_us=folder.now_us(), why=" ".join(why.split())[:500])
        _write(folder, waves.noted(_known(folder, version), site, outcome))


@rollout.command()
@VERSION
@click.option(
    "--within", "within_s", type=click.FloatRange(0, 86_400), default=300.0, help="seconds for boxes to be heard"
)
@JSON
@pass_hub
def gate(folder: HubFolder, version: str, within_s: float, as_json: bool) -> None:
    """下一批能否开始：全网有谁变坏。 Whether the next wave may begin: is any box ill that was well?

    Exits 1 when not; the release is stopped then. Example: songshan-hub rollout gate 1.2.0
    """
    deadline_s = time.monotonic() + within_s
    while True:
        found = waves.ills(_known(folder, version), counties(folder))
        said = waves.verdict(found, is_time_over=time.monotonic() >= deadline_s)
        if said != "wait":
            break
        time.sleep(LOOK_EVERY_S)
    if said == "stop":
        with folder.locked():
            _write(folder, waves.stopped(_known(folder, version), found))
    if as_json:
        say_json({"verdict": said, "ill": as_facts(found)})
    elif said == "go":
        say(Text("全网如常，可以继续", "the fleet is as it was: go on"))
    if said == "stop":
        raise Refused(*(Text(f"{each.site} {each.what.zh}", f"{each.site} {each.what.en}") for each in found))


@rollout.command()
@click.argument("version", required=False)
@JSON
@pass_hub
def status(folder: HubFolder, version: str | None, as_json: bool) -> None:
    """各版本推送到哪里，谁待升级，为何停止。 How far each release has come, who is pending, why it stopped.

    Example: songshan-hub rollout status 1.2.0
    """
    folder.settings()
    found = [_known(folder, version)] if version else _all(folder)
    if as_json:
        say_json({"rollouts": [as_facts(msgspec.structs.replace(each, before=())) for each in found]})
        return
    for each in found:
        begun = moment.to_text(each.began_us)
        say(Text(f"{each.version} {begun} {each.by} {each.reason}", f"{each.version} {begun} {each.by} {each.reason}"))
        for state, words in _STATES.items():
            sites = " ".join(site for site, outcome in sorted(each.outcomes.items()) if outcome.state == state)
            if sites:
                say(Text(f"  {words.zh}：{sites}", f"  {words.en}: {sites}"))
        if each.stopped is not None:
            say(Text(f"  已停止：{each.stopped.zh}", f"  stopped: {each.stopped.en}"))


def counties(folder: HubFolder) -> tuple[County, ...]:
    """The fleet as it last told of itself."""
    return tuple(_county(folder, site.site, site.state) for site in all_sites(folder))


def _county(folder: HubFolder, site: str, state: str) -> County:
    own = folder.site(site)
    said = read_status(own)
    return waves.county(
        site,
        "fenced" if state == "approved" and machines_of(folder, site).fenced else state,
        is_connected=is_held(own.session),
        heard_us=moment.to_us(said.heard_at) if said is not None else None,
        status=said.status if said is not None else {},
    )


def _path(folder: HubFolder, version: str) -> Path:
    return folder.path / "rollouts" / f"{check_version(version)}.json"


def _read(folder: HubFolder, version: str) -> Rollout | None:
    path = _path(folder, version)
    folder.settings()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Rollout)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise Corrupt(Text(f"{path} 读不出：{error}", f"{path} cannot be read: {error}")) from error


def _known(folder: HubFolder, version: str) -> Rollout:
    found = _read(folder, version)
    if found is None:
        raise Refused(Text(f"没有开始过 {version}", f"{version} was never begun"))
    return found


def _all(folder: HubFolder) -> list[Rollout]:
    names = sorted((folder.path / "rollouts").glob("*.json"))[:ROLLOUTS_MAX]
    found = [each for path in names if (each := _read(folder, path.stem)) is not None]
    return sorted(found, key=lambda each: -each.began_us)


def _write(folder: HubFolder, made: Rollout) -> None:
    path = _path(folder, made.version)
    with disk_errors(path):
        make_folder(path.parent)
    write_atomically(path, msgspec.json.format(msgspec.json.encode(made)))
