"""What writers at the hub left that were killed: half a file under a name of its own, `.HEX.part`, which nobody reads.

A status, a fold, a snapshot or a branch has somebody's words; half of one would outlive their redaction. So each
session sweeps what its site's gates may have left, a redaction sweeps all that may have its words, and `collect`,
daily, the rest. What a living writer is at stays: `appliance.durable.sweep` tells by its lock.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from appliance.durable import sweep
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals, streams_of
from provisioning.hub.sites import all_sites


def sweep_site(folder: HubFolder, site: str) -> int:
    """Sweep what a gate of this site writes: its own folder, and the streams that it reads and reports. How many."""
    return _sweep((folder.site(site).path, *_of_streams(folder, (*streams_of(site), f"{site}/report"))))


def sweep_words(folder: HubFolder) -> int:
    """Sweep wherever somebody's words are written: every stream and every site. How many."""
    sites = [site.site for site in all_sites(folder)]
    streams = {name for site in sites for name in (*streams_of(site), f"{site}/report")}
    return _sweep((*(folder.site(site).path for site in sites), *_of_streams(folder, streams or streams_of("all"))))


def sweep_all(folder: HubFolder) -> int:
    """Sweep the whole hub. How many."""
    others = (folder.path, folder.sign_key.parent, folder.rotations, folder.ssh, folder.claims)
    piles = (folder.assets, folder.fossils, folder.renditions)
    return sweep_words(folder) + _sweep((*others, *piles))


def _of_streams(folder: HubFolder, names: Iterable[str]) -> Iterator[Path]:
    journals = HubJournals(folder)
    for name in sorted(names):
        stream = journals.stream(name)
        yield from (stream.folder, stream.forks)


def _sweep(folders: Iterable[Path]) -> int:
    return sum(sweep(folder) for folder in folders)
