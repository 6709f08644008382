"""From one look to the next: which troubles there are, which are hidden, and what goes into the book. Pure."""

from collections.abc import Iterable
from typing import Final

import msgspec

from appliance.core import moment
from appliance.core.errors import Text
from appliance.core.moment import US
from provisioning.fleet.core.hub import Fleet, of_delivery
from provisioning.fleet.core.letters import Book, Way, posted, settled
from provisioning.fleet.core.row import Row, Told
from provisioning.fleet.core.telling import Key, Known, Message, Policy, Trouble, decide

BLIND_US: Final = 300 * US
"""No look for so long: the watch, or the whole machine, was away, and nobody can say who else was."""
FAILING_US: Final = 300 * US
"""A way out that fails for so long is an alarm of its own."""
QUIET: Final = "hub:quiet"
UNREADABLE: Final = "hub:unreadable"
LINE: Final = "hub:line"


def before_look(book: Book, now_us: int) -> Book:
    """The book as this look begins: after a time without a look, counties are away from now on only."""
    is_blind = not 0 <= now_us - book.looked_us <= BLIND_US
    return msgspec.structs.replace(book, away_from_us=now_us) if is_blind else book


def has_its_line_back(book: Book, fleet: Fleet) -> bool:
    """Whether the hub's line came back with this look: those that are not there yet are away from now on only."""
    return book.has_lost_line and not _has_lost_line(fleet)


def troubles_of(fleet: Fleet) -> tuple[Trouble, ...]:
    """Everything that is wrong, of counties that are let in or wait for it, and of the hub."""
    own = [_trouble("", fleet.hub.id, each) for each in fleet.hub.alarms]
    counties = [
        _trouble(row.site, row.name, each) for row in fleet.sites for each in row.alarms if row.state != "revoked"
    ]
    return (*own, *counties)


def hidden(rows: Iterable[Row], known: Known) -> frozenset[Key]:
    """What cannot be seen now, and so has neither begun nor ended: that a county is quiet ends when it is there again;
    of one whose files cannot be read nothing is known."""
    keys: set[Key] = set()
    for row in rows:
        ids = {each.id for each in row.alarms}
        if row.link == "away" and QUIET not in ids:
            keys.add((row.site, QUIET))
        if UNREADABLE in ids:
            keys |= {
                each.trouble.key for each in known.opens if each.trouble.site == row.site and each.trouble.id not in ids
            }
    return frozenset(keys)


def after_look(
    book: Book, fleet: Fleet, policy: Policy, ways: dict[Way, tuple[str, ...]], now_us: int
) -> tuple[Book, Message | None]:
    """The book after this look, with the letters that it leads to. Without a way out nothing is told."""
    book = msgspec.structs.replace(book, has_lost_line=_has_lost_line(fleet), looked_us=now_us)
    book = settled(book, ways, now_us)
    if not ways:
        return book, None
    sites = [row.site for row in fleet.sites if row.state != "revoked"]
    known, message = decide(
        book.known, troubles_of(fleet), sites, now_us, policy, fleet.hub.id, hidden(fleet.sites, book.known)
    )
    book = msgspec.structs.replace(book, known=known)
    return (posted(book, message, ways) if message is not None else book), message


def of_ways(book: Book, now_us: int) -> tuple[Told, ...]:
    """Ways out that do not work."""
    return tuple(
        of_delivery(
            each.way,
            moment.to_text(each.failing_since_us),
            each.reason,
            sum(letter.way == each.way for letter in book.letters),
            now_us,
        )
        for each in book.ways
        if each.failing_since_us is not None and now_us - each.failing_since_us >= FAILING_US
    )


def is_worth_keeping(kept: Book, book: Book, every_us: int) -> bool:
    """Whether the disk must know: the time of a look by itself only now and then."""
    if abs(book.looked_us - kept.looked_us) >= every_us:
        return True
    return _timeless(kept) != _timeless(book)


def _timeless(book: Book) -> Book:
    """A number in the words of an alarm is no change either: they come anew with the next look."""
    opens = tuple(
        msgspec.structs.replace(each, trouble=msgspec.structs.replace(each.trouble, text=_NOTHING, hint=_NOTHING))
        for each in book.known.opens
    )
    return msgspec.structs.replace(book, looked_us=0, known=msgspec.structs.replace(book.known, opens=opens))


def _has_lost_line(fleet: Fleet) -> bool:
    return any(each.id == LINE for each in fleet.hub.alarms)


def _trouble(site: str, name: str, told: Told) -> Trouble:
    return Trouble(site=site, name=name, id=told.id, severity=told.severity, text=told.text, hint=told.hint)


_NOTHING: Final = Text("", "")
