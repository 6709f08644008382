"""For how long the keys of a box are good, and for what when that is over. Pure; the hub's clock alone decides.

good         the box may do all that it may
due          it changes them now, by itself
late         half of the time for that is over, and it has not: people are told
renew_only   their time is over: it may change them, and do nothing else
out          nobody is let in with them, until the hub's operator lets them be changed
"""

from typing import Final, Literal

import msgspec

from appliance.core.moment import US

DAY_US: Final = 86_400 * US
Standing = Literal["good", "due", "late", "renew_only", "out"]
LET_IN: Final[tuple[Standing, ...]] = ("good", "due", "late")
"""Sessions and transfers."""


class KeyPolicy(msgspec.Struct, frozen=True):
    """hub.toml, in days. `valid_days` 0: keys never run out.

    A box that went away just before it would have changed its keys may stay away for `renew_before_days` and
    `grace_days` together, and comes back by itself: more than a year. In six months a copy of a key of which
    nobody knows is worth nothing.
    """

    valid_days: int = 180
    renew_before_days: int = 60
    grace_days: int = 365


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """Since when the keys of a box are in force, and what follows from that; moments of the hub's clock.

    `until_us` None: they never run out, or nobody has said. `at_us`: when the hub said so, by the box's own clock.
    """

    since_us: int | None = None
    renew_from_us: int | None = None
    until_us: int | None = None
    grace_until_us: int | None = None
    at_us: int | None = None


def term_of(policy: KeyPolicy, since_us: int, let_renew_until_us: int = 0) -> Key:
    """Of keys that are in force since then. `let_renew_until_us`: so long an operator lets them be changed."""
    if not policy.valid_days:
        return Key(since_us=since_us)
    until_us = since_us + policy.valid_days * DAY_US
    return Key(
        since_us=since_us,
        renew_from_us=until_us - min(policy.renew_before_days, policy.valid_days) * DAY_US,
        until_us=until_us,
        grace_until_us=max(until_us + policy.grace_days * DAY_US, let_renew_until_us),
    )


def standing(key: Key, hub_now_us: int) -> Standing:
    """What they are good for at this moment of the hub's clock. One that was set back makes them good again."""
    if key.until_us is None or key.renew_from_us is None or key.grace_until_us is None:
        return "good"
    if hub_now_us < key.renew_from_us:
        return "good"
    if hub_now_us < key.until_us:
        is_late = hub_now_us - key.renew_from_us >= (key.until_us - key.renew_from_us) // 2
        return "late" if is_late else "due"
    return "renew_only" if hub_now_us < key.grace_until_us else "out"
