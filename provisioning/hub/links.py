"""What a site may read follows from the journals: its items, what it took, what its channels play."""

from appliance.core.asset import Asset
from provisioning.hub.catalogue import Catalogue, is_over
from provisioning.hub.library import Library, digests_of


def set_right(library: Library, catalogue: Catalogue, site: str, at_us: int) -> None:
    """Make up for what was missed: a site that came later, a publisher that was killed half-way.

    Links that no record asks for (an asset published by itself) stay, unless they were recalled.
    """
    library.let_read(site, assets_for(catalogue, site, at_us))
    library.withdraw(site, withdrawn(library, catalogue))


def assets_for(catalogue: Catalogue, site: str, at_us: int) -> list[Asset]:
    """All that the site's streams name and that it took, as far as it is neither recalled nor over."""
    streams = ("all/content", f"{site}/content")
    items = [
        item
        for copies in catalogue.published.values()
        for stream, item in copies.items()
        if stream in streams and catalogue.is_live(item)
    ]
    taken = [catalogue.live_offer(item) for item, sites in catalogue.takers.items() if site in sites]
    own = [offer for offer in map(catalogue.live_offer, catalogue.offered) if offer and offer.origin == site]
    shown = [item for item in (*items, *taken, *own) if item is not None and not is_over(item, at_us)]
    found = [asset for item in shown for asset in item.assets]
    for stream in (*streams, f"{site}/control"):
        found += catalogue.airing(stream, at_us)
    gone = withdrawn_digests(catalogue)
    return [asset for asset in found if asset.digest not in gone]


def withdrawn(library: Library, catalogue: Catalogue) -> set[str]:
    """Digests that recalls took away, renditions too, and that nothing live needs."""
    gone = withdrawn_digests(catalogue)
    renditions = set()
    for digest in gone:
        facts = library.facts(digest)
        if facts is not None and facts.asset.rendition is not None:
            renditions.add(facts.asset.rendition.digest)
    return (gone | renditions) - catalogue.used_digests()


def withdrawn_digests(catalogue: Catalogue) -> set[str]:
    """Digests recalled by themselves, and those of recalled items that no live item names."""
    by_name = {target for target in catalogue.recalled if target.startswith("sha256:")}
    items = [item for copies in catalogue.published.values() for item in copies.values()]
    items += catalogue.offered.values()
    of_items = {
        digest for item in items if not catalogue.is_live(item) for digest in digests_of(item.assets)
    } - catalogue.used_digests()
    return by_name | of_items
