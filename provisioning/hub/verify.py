"""`songshan-hub verify`: every chain and signature from the first record on, every asset by its digest."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click
import msgspec

from appliance.command import complain, say, say_json
from appliance.core.audit import Audited
from appliance.core.errors import Refused, Text
from appliance.progress import ProgressLine
from provisioning.command import pass_hub
from provisioning.hub.auditing import Progress, audit_streams
from provisioning.hub.catalogue import Catalogue
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals
from provisioning.hub.library import Library, digests_of
from provisioning.hub.links import assets_for
from provisioning.hub.sites import Site, all_sites
from provisioning.hub.witness import contradictions

HASH_BYTES: Final = 4 * 1024 * 1024


class Checked(msgspec.Struct, frozen=True):
    """What was looked at, and all that is wrong with it."""

    streams: int
    records: int
    assets: int
    size_bytes: int
    problems: tuple[Text, ...]
    chains: tuple[Audited, ...] = ()
    """Each stream: how far it goes, and how far it is signed."""


@click.command()
@click.option("--journals-only", is_flag=True, help="leave the assets out: they take as long as reading them")
@click.option(
    "--set-aside", is_flag=True, help="take damaged assets out of the pile, so that they can be published anew"
)
@click.option("--json", "as_json", is_flag=True, help="facts for programs")
@pass_hub
def verify(folder: HubFolder, journals_only: bool, set_aside: bool, as_json: bool) -> None:
    """Check all chains, signatures and assets; exit status 1 when anything is wrong, with every problem.

    Example: songshan-hub verify --json
    """
    folder.settings()
    progress = ProgressLine(Text("核对流水", "checking the journals"))
    checked = check(folder, not journals_only, progress, set_aside=set_aside)
    progress.end()
    if as_json:
        say_json(checked)
    else:
        shown = f"{checked.streams} / {checked.records} / {checked.assets}"
        say(Text(f"流 / 记录 / 媒资：{shown}", f"streams / records / assets: {shown}"))
    if checked.problems:
        if as_json:
            complain(Refused(*checked.problems))
            click.get_current_context().exit(1)
        raise Refused(*checked.problems)


def check(
    folder: HubFolder,
    with_assets: bool,
    progress: Progress = lambda _done, _total: None,
    *,
    set_aside: bool = False,
) -> Checked:
    """Read everything once. Nothing is changed, but for damaged assets where they are to be set aside."""
    sites = all_sites(folder)
    chains, unaccounted = audit_streams(folder, sites, progress)
    problems = [problem for chain in chains for problem in chain.problems] + list(unaccounted)
    if not problems:
        problems += contradictions(folder, sites)
        problems += _missing(folder, sites)
    assets = size_bytes = 0
    if with_assets:
        for path in _asset_files(folder):
            size, problem = _check_asset(path)
            assets, size_bytes = assets + 1, size_bytes + size
            problems += [problem] if problem else []
            if problem and set_aside:
                with folder.locked():
                    Library(folder).set_aside(f"sha256:{path.name}", (site.site for site in sites))
    records = sum(chain.records for chain in chains)
    return Checked(len(chains), records, assets, size_bytes, tuple(problems), chains)


def _missing(folder: HubFolder, sites: Sequence[Site]) -> list[Text]:
    """Assets that a site is told of and that are not in the pile."""
    library = Library(folder)
    catalogue = Catalogue().read(HubJournals(folder), (site.site for site in sites))
    wanted = {digest for site in sites for digest in digests_of(assets_for(catalogue, site.site, folder.now_us()))}
    lost = sorted(digest for digest in wanted if not library.holds(digest))
    return [Text(f"缺媒资 {digest}", f"asset {digest} is missing") for digest in lost]


def _asset_files(folder: HubFolder) -> Iterator[Path]:
    for shelf in sorted(folder.assets.glob("[0-9a-f][0-9a-f]")):
        yield from sorted(path for path in shelf.iterdir() if not path.name.startswith("."))


def _check_asset(path: Path) -> tuple[int, Text | None]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(HASH_BYTES):
            digest.update(chunk)
            size += len(chunk)
    if digest.hexdigest() != path.name:
        return size, Text(f"媒资损坏：{path}", f"a damaged asset: {path}")
    return size, None
