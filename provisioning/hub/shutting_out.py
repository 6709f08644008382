"""The shut-out list (吊销名单) at the hub: which keys stand on it, signed for whoever carries it to where no line goes.

What stands on it follows from the sites alone (`Site.shut_out`); `shut-out.json` keeps the number that was said last.
"""

import msgspec

from appliance.core import moment
from appliance.core.errors import Refused, Text
from appliance.core.shut_out import FILE, Listed, next_list, notice
from appliance.stick import Stick
from provisioning.hub import keys
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals
from provisioning.hub.sites import Site, all_sites, site_of, write_authorized_keys, write_site


def signed_list(folder: HubFolder) -> bytes:
    """The list as it is now, under the key that signs now, with what leads boxes to that key. Takes the hub's lock."""
    with folder.locked():
        return notice(_listed(folder), [each.body for each in keys.rotations(folder)], HubJournals(folder).key)


def write_to(folder: HubFolder, stick: Stick) -> None:
    """Put it at the top of a stick, whosever that is."""
    stick.write((FILE,), signed_list(folder))


def shut_out(site: Site) -> Site:
    """The site with its present key on the list."""
    if site.sign_key is None or site.sign_key in site.shut_out:
        return site
    return msgspec.structs.replace(site, shut_out=(*site.shut_out, site.sign_key))


def taken_off(site: Site, key: str | None) -> Site:
    """The site with a key that is not on the list (any more)."""
    return msgspec.structs.replace(site, shut_out=tuple(each for each in site.shut_out if each != key))


def readmit(folder: HubFolder, site: str, now_us: int) -> Site:
    """A site was revoked by mistake: its box works on with the keys that it has. Refused where there is none such."""
    with folder.locked():
        known = site_of(folder, site)
        if known.state != "revoked" or known.ssh_key is None:
            raise Refused(
                Text(f"{site} 没有被吊销的节点", f"{site} has no box that was revoked"),
                hint=Text(f"songshan-hub enrol {site}", f"songshan-hub enrol {site}"),
            )
        at = moment.to_text(now_us)
        back = msgspec.structs.replace(taken_off(known, known.sign_key), state="approved", approved_at=at)
        write_site(folder, msgspec.structs.replace(back, revoked_at=None))
        write_authorized_keys(folder, now_us)
        _listed(folder)
    return back


def _listed(folder: HubFolder) -> Listed:
    """What stands on it now; with the next number where that has changed. The hub's lock is held."""
    from appliance.durable import write_atomically

    path, now_us = folder.path / "shut-out.json", folder.now_us()
    before = msgspec.json.decode(path.read_bytes(), type=Listed) if path.exists() else None
    on_it = sorted({key for site in all_sites(folder) for key in site.shut_out})
    if before is not None and list(before.keys) == on_it:
        return before
    following = next_list(before, folder.settings().id, on_it, moment.to_text(now_us), now_us)
    write_atomically(path, msgspec.json.encode(following))
    return following
