"""For how long a site's keys are good: hub.toml says how long, site.json since when, the hub's clock the rest.

term_of_site   since when, to be changed from when, good until, to be changed until
check          who comes in with keys whose time is over is told so, and may at most change them
let_renew      an operator lets the keys of a site be changed that were away for too long
"""

from typing import Final

import msgspec

from appliance.core import moment
from appliance.core.errors import KeyRanOut, LockedOut, Text
from appliance.core.key_term import DAY_US, LET_IN, Key, Standing, standing, term_of
from provisioning.hub.folder import HubFolder, HubSettings
from provisioning.hub.sites import Site

LET_RENEW_DAYS: Final = 30
"""So long after an operator's word: a county whose line comes back on one day of the week has several tries."""


def term_of_site(settings: HubSettings, site: Site) -> Key:
    """By what the hub knows of the site."""
    since = site.keyed_at or site.approved_at or site.joined_at or site.enrolled_at
    let_until_us = moment.to_us(site.let_renew_until) if site.let_renew_until is not None else 0
    return term_of(settings.key_policy, moment.to_us(since), let_until_us)


def standing_of(folder: HubFolder, site: Site) -> Standing:
    """What the site's keys are good for now."""
    return standing(term_of_site(folder.settings(), site), folder.now_us())


def check(folder: HubFolder, site: Site, *, renews: bool) -> None:
    """KeyRanOut where the keys may still be changed, LockedOut where not even that; `renews`: that is what is asked."""
    key = term_of_site(folder.settings(), site)
    now = standing(key, folder.now_us())
    if now in LET_IN or (renews and now == "renew_only"):
        return
    assert key.until_us is not None, "else they are good"
    assert key.grace_until_us is not None, "else they are good"
    until, grace_until = moment.to_text(key.until_us)[:10], moment.to_text(key.grace_until_us)[:10]
    if now == "renew_only":
        raise KeyRanOut(
            Text(
                f"{site.site} 的密钥 {until} 期满，{grace_until} 前只能更换，不能做别的",
                f"the keys of {site.site} ran out on {until}: until {grace_until} they may be changed, no more",
            )
        )
    raise LockedOut(
        Text(
            f"{site.site} 的密钥 {until} 期满，宽限 {grace_until} 已过；songshan-hub approve {site.site} 可再让它更换",
            f"the keys of {site.site} ran out on {until}, and the time to change them ended on {grace_until};"
            f" songshan-hub approve {site.site} lets them be changed",
        )
    )


def let_renew(site: Site, now_us: int) -> Site:
    """The site, with its keys open to be changed for LET_RENEW_DAYS from now on."""
    return msgspec.structs.replace(site, let_renew_until=moment.to_text(now_us + LET_RENEW_DAYS * DAY_US))
