"""`songshan-hub verify`: every chain and signature from the first record on, every asset by its digest."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from appliance.command import complain, say, say_json
from appliance.core import journal
from appliance.core.errors import Refused, SongshanError, Text
from provisioning import identity
from provisioning.command import pass_hub
from provisioning.hub.catalogue import Catalogue
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals, streams_of
from provisioning.hub.library import Library, digests_of
from provisioning.hub.links import assets_for
from provisioning.hub.sites import Site, all_sites
from provisioning.hub.stream import Place, Stream

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

HASH_BYTES: Final = 4 * 1024 * 1024


class Checked(msgspec.Struct, frozen=True):
    """What was looked at, and all that is wrong with it."""

    streams: int
    records: int
    assets: int
    size_bytes: int
    problems: tuple[Text, ...]


@click.command()
@click.option("--journals-only", is_flag=True, help="leave the assets out: they take as long as reading them")
@click.option("--json", "as_json", is_flag=True, help="facts for programs")
@pass_hub
def verify(folder: HubFolder, journals_only: bool, as_json: bool) -> None:
    """Check all chains, signatures and assets; exit status 1 when anything is wrong, with every problem.

    Example: songshan-hub verify --json
    """
    folder.settings()
    checked = check(folder, with_assets=not journals_only)
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


def check(folder: HubFolder, with_assets: bool) -> Checked:
    """Read everything once. Nothing is changed."""
    sites = all_sites(folder)
    problems: list[Text] = []
    streams = records = assets = size_bytes = 0
    for stream, keys in _streams(folder, sites):
        streams += 1
        counted, problem = _check_stream(stream, keys)
        records += counted
        problems += [problem] if problem else []
    if not problems:
        problems += _missing(folder, sites)
    if with_assets:
        for path in _asset_files(folder):
            size, problem = _check_asset(path)
            assets, size_bytes = assets + 1, size_bytes + size
            problems += [problem] if problem else []
    return Checked(streams, records, assets, size_bytes, tuple(problems))


def _streams(folder: HubFolder, sites: Sequence[Site]) -> Iterator[tuple[Stream, tuple["Ed25519PublicKey", ...]]]:
    """Every stream there is, with the keys that may have signed it."""
    journals = HubJournals(folder)
    own = (identity.read_private(folder.sign_key).public_key(),)
    names = {"all/control": None, "all/content": None} | {
        name: None for site in sites for name in streams_of(site.site)
    }
    for name in names:
        yield journals.stream(name), own
    for site in sites:
        texts = (*site.former_sign_keys, *([site.sign_key] if site.sign_key else []))
        yield journals.stream(f"{site.site}/report"), tuple(journal.parse_public_key(text) for text in texts)


def _check_stream(stream: Stream, keys: Sequence["Ed25519PublicKey"]) -> tuple[int, Text | None]:
    """Records read, and what is wrong: a flaw in the chain, a head that nobody signed, a strange signature."""
    counted, place = 0, stream.start()
    try:
        covered = stream.covered()
        while page := stream.page(place):
            place = page[-1][1]
            counted += len(page)
    except SongshanError as error:
        return counted, error.problems[0]
    if covered is None:
        return counted, None
    if not any(journal.is_signed_by(covered.checkpoint, key) for key in keys):
        return counted, Text(f"{stream.name}：检查点签名不对", f"{stream.name}: the checkpoint's signature is wrong")
    if place != Place(covered.checkpoint.position, covered.size_bytes):
        return counted, Text(
            f"{stream.name}：末条记录与检查点不符", f"{stream.name}: the last record is not the one that was signed"
        )
    return counted, None


def _missing(folder: HubFolder, sites: Sequence[Site]) -> list[Text]:
    """Assets that a site is told of and that are not in the pile."""
    library = Library(folder)
    catalogue = Catalogue().read(HubJournals(folder), (site.site for site in sites))
    wanted = {digest for site in sites for digest in digests_of(assets_for(catalogue, site.site))}
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
