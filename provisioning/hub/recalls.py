"""A recall (撤稿): first the record, which every connected box has at once, then the hub's own copies."""

from appliance.core import moment, records
from appliance.core.asset import parse_digest
from appliance.core.errors import OperatorError, Refused, Text
from appliance.core.item import ITEM_ID
from provisioning.hub.catalogue import Catalogue
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals
from provisioning.hub.library import Library
from provisioning.hub.links import withdrawn
from provisioning.hub.sites import all_sites


def recall(folder: HubFolder, target: str, reason: str) -> set[str]:
    """Recall an item or an asset; the digests that nobody may fetch any more. Repeating it is safe."""
    target = _target(target)
    journals, library = HubJournals(folder), Library(folder)
    sites = all_sites(folder)
    contents = [f"{site.site}/content" for site in sites]
    with journals.writing("all/control", "all/content", *contents) as pen:
        catalogue = Catalogue().read(journals, (site.site for site in sites))
        if not _is_known(catalogue, library, target):
            raise Refused(
                Text(f"没有 {target}", f"there is no {target}"),
                hint=Text("songshan-hub market 列出稿件", "songshan-hub market lists items"),
            )
        before = withdrawn(library, catalogue)
        # No clock that was set back may let it stand.
        at = moment.to_text(max(folder.now_us(), catalogue.made_us(target)))
        pen.append("all/control", "recall", target, records.Recall(target, reason, at))
        gone = withdrawn(library, catalogue.read(journals, ()))
        for site in sites:
            library.withdraw(site.site, gone)
        for digest in gone:
            library.remove(digest)
    return gone - before or gone


def _target(text: str) -> str:
    """An item's id, or a digest in full; OperatorError for what is neither."""
    try:
        return parse_digest(text)
    except OperatorError:
        if ITEM_ID.fullmatch(text):
            return text
        raise


def _is_known(catalogue: Catalogue, library: Library, target: str) -> bool:
    if target.startswith("sha256:"):
        return target in catalogue.assets_known() or library.holds(target) or target in catalogue.recalled
    return target in catalogue.published or target in catalogue.offered
