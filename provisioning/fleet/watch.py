"""`songshan-hub watch`: look at the fleet, write its page and figures, tell what there is to tell, deliver it.

    look       read the hub's folder; judge; decide what is told; keep the book; write page and figures
    deliver    a few of the letters that are due, within a bound; after each the book is kept

One thread, one loop. Everything that must not be lost stands in HUB/fleet/book.json before it is acted on: a watch that
is killed anywhere tells nothing twice, but a letter whose arrival it did not live to note.
"""

import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Final

import click
import msgspec
import structlog

from appliance.core import moment
from appliance.core.errors import OperatorError, Text
from appliance.durable import make_folder, sweep, write_atomically
from appliance.notify import Life, tell
from provisioning.command import pass_hub
from provisioning.fleet import mail, nginx, webhook
from provisioning.fleet.book import Turn, read_book, read_history, write_book, write_history
from provisioning.fleet.core.changes import History, noted
from provisioning.fleet.core.county_page import county_page
from provisioning.fleet.core.hub import Fleet, of_config
from provisioning.fleet.core.letters import Book, Letter, Way, delivered, due, refused, unreached
from provisioning.fleet.core.noticing import after_look, before_look, has_its_line_back, is_worth_keeping, of_ways
from provisioning.fleet.core.page import address, fleet_page
from provisioning.fleet.core.row import Row
from provisioning.fleet.delivery import Arrived, NotReached, NotTaken, Outcome
from provisioning.fleet.gather import gather
from provisioning.fleet.metrics import figures
from provisioning.fleet.settings import Alarms, read
from provisioning.hub.folder import HubFolder

DELIVERIES_MAX: Final = 4
"""Letters of one look: what is left has its turn at the next."""
KEPT_EVERY_US: Final = 60 * moment.US
COUNTIES_EVERY_US: Final = 60 * moment.US
"""A county's own page is written when something changed there, and else so often: three minutes make it stale."""
PAGE_MODE: Final = 0o644
"""nginx is another user."""
LANGUAGES: Final = ("zh", "en")

log = structlog.get_logger()


@click.command()
@click.option(
    "--page",
    type=click.Path(path_type=Path, file_okay=False),
    help="where page and figures go; by default fleet/page in the hub's folder",
)
@click.option("--once", is_flag=True, help="look once, deliver what is due, and end")
@click.option("--print-nginx", "listen", metavar="ADDRESS:PORT", help="print the nginx site for the page, and end")
@click.option("--allow", "allowed", multiple=True, metavar="NETWORK", help="who may look at it; by default all")
@pass_hub
def watch(folder: HubFolder, page: Path | None, once: bool, listen: str | None, allowed: Sequence[str]) -> None:
    """值守：写各县一览网页与指标，把告警发出去。 Keep watch over the counties: page, figures, alarms out.

    Example: songshan-hub watch --page /run/songshan-hub-fleet
    """
    page = (page or folder.fleet / "page").absolute()
    if listen is not None:
        click.echo(nginx.site(page, listen, allowed), nl=False)
        return
    folder.settings()
    tell_on_stderr()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ended.set())
    watching, life = Watch(folder, page), Life(os.environ)
    try:
        while not ended.is_set():
            every_s = watching.turn()
            if once:
                return
            tell("READY=1")
            life.goes_on()
            ended.wait(every_s)
    finally:
        watching.end()


def tell_on_stderr() -> None:
    """One line for each event, `event key=value`; the journal of the machine adds the time and keeps it."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.LogfmtRenderer(key_order=["event", "level"]),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


class Watch:
    """One watch over one hub, from look to look."""

    def __init__(self, folder: HubFolder, page: Path) -> None:
        self.folder, self.page = folder, page
        make_folder(page, 0o755)
        sweep(page)
        write_atomically(
            page / "fleet.css", resources.files("provisioning.fleet").joinpath("fleet.css").read_bytes(), PAGE_MODE
        )
        self._turn = Turn(folder.fleet)
        sweep(folder.fleet)
        self._book: Book | None = None
        self._kept: Book | None = None
        self._histories: dict[str, History] = {}
        self._counties_us: dict[str, int] = {}
        self._words: str = ""

    def turn(self) -> float:
        """Look once, and deliver what is due; how long to wait before the next, in seconds."""
        alarms, problems = self._settings()
        tells = self._turn.is_ours()
        book = before_look(self._read(tells), self.folder.now_us())
        told = (*of_ways(book, self.folder.now_us()), *([of_config(problems)] if problems else []))
        fleet = gather(self.folder, alarms.watching(book.away_from_us), told, len(book.letters))
        if has_its_line_back(book, fleet):
            book = msgspec.structs.replace(book, away_from_us=self.folder.now_us())
            fleet = gather(self.folder, alarms.watching(book.away_from_us), told, len(book.letters))
        if tells:
            book = self._tell(book, fleet, alarms, may_tell=not problems)
        self._note(fleet, tells)
        self._write(fleet, book)
        if tells and not problems:
            self._deliver(book, alarms)
        return alarms.look_every_s

    def end(self) -> None:
        """Let another watch tell."""
        self._turn.end()

    def _settings(self) -> tuple[Alarms, tuple[Text, ...]]:
        """[alarms] as it stands now; what is usual where it cannot be used, and why not."""
        try:
            return read(self.folder.settings().alarms), ()
        except OperatorError as error:
            said = "; ".join(problem.en for problem in error.problems)
            if said != self._words:
                log.error("alarms_not_configured", problems=said)
                self._words = said
            return Alarms(), error.problems

    def _read(self, tells: bool) -> Book:
        """What was known after the last look; at the first, and while another watch tells, what lies on the disk."""
        if self._book is None or not tells:
            self._book = self._kept = read_book(self.folder.fleet)
        return self._book

    def _tell(self, book: Book, fleet: Fleet, alarms: Alarms, *, may_tell: bool) -> Book:
        """Decide, and have it on the disk before anybody is told."""
        now_us = moment.to_us(fleet.generated_at)
        message = None
        if may_tell:
            book, message = after_look(book, fleet, alarms.policy, alarms.ways, now_us)
        else:
            book = msgspec.structs.replace(book, looked_us=now_us)
        if message is not None:
            log.info("alarm_told", message=message.id, lines=len(message.lines), more=message.more, red=message.red)
        self._keep(book)
        return book

    def _keep(self, book: Book) -> None:
        """The time of a look, and numbers in words, are not worth a write of the disk each."""
        self._book = book
        if self._kept is None or is_worth_keeping(self._kept, book, KEPT_EVERY_US):
            write_book(self.folder.fleet, book)
            self._kept = book

    def _note(self, fleet: Fleet, tells: bool) -> None:
        """What changed at each county."""
        for row in fleet.sites:
            before = self._histories.get(row.site) if tells else None
            before = before if before is not None else read_history(self.folder.fleet, row.site)
            history = noted(before, row, fleet.generated_at)
            if history is not before:
                if tells:
                    write_history(self.folder.fleet, row.site, history)
                self._counties_us.pop(row.site, None)
            self._histories[row.site] = history

    def _write(self, fleet: Fleet, book: Book) -> None:
        for language in LANGUAGES:
            self._put(address("", language), fleet_page(fleet, language).encode())
        self._put("fleet.json", msgspec.json.encode(fleet))
        self._put("metrics.prom", figures(fleet, book))
        for row in fleet.sites:
            self._write_county(row, fleet)

    def _write_county(self, row: Row, fleet: Fleet) -> None:
        now_us = moment.to_us(fleet.generated_at)
        if 0 <= now_us - self._counties_us.get(row.site, 0) < COUNTIES_EVERY_US:
            return
        changes = self._histories[row.site].changes
        for language in LANGUAGES:
            made = county_page(row, changes, fleet.hub.id, fleet.generated_at, language)
            self._put(address(row.site, language), made.encode())
        self._counties_us[row.site] = now_us

    def _put(self, name: str, data: bytes) -> None:
        write_atomically(self.page / name, data, PAGE_MODE)

    def _deliver(self, book: Book, alarms: Alarms) -> None:
        """A few letters; a way that failed is passed over until the next look."""
        passed: set[Way] = set()
        for _letter in range(DELIVERIES_MAX):
            letter = due(book, self.folder.now_us(), frozenset(passed))
            if letter is None:
                return
            outcome = send(letter, alarms, self.folder.settings().id, self.folder.now_us())
            match outcome:
                case Arrived():
                    log.info("alarm_delivered", way=letter.way, message=letter.message.id)
                case NotTaken(reason) | NotReached(reason):
                    log.warning("alarm_not_delivered", way=letter.way, message=letter.message.id, reason=reason)
                    passed.add(letter.way)
            book = entered(book, letter, outcome, self.folder.now_us())
            self._keep(book)


def send(letter: Letter, alarms: Alarms, hub: str, now_us: int) -> Outcome:
    """Try one letter."""
    if letter.way == "mail":
        assert alarms.mail is not None, "letters of ways that are gone are dropped"
        return mail.send(alarms.mail, letter.message, letter.to, alarms.page_url)
    assert alarms.webhook is not None, "letters of ways that are gone are dropped"
    return webhook.send(alarms.webhook, hub, letter.message, alarms.page_url, now_us)


def entered(book: Book, letter: Letter, outcome: Outcome, now_us: int) -> Book:
    """The book after a letter was tried."""
    match outcome:
        case Arrived():
            return delivered(book, letter)
        case NotTaken(reason, left):
            return refused(book, letter, reason, now_us, left)
        case NotReached(reason):
            return unreached(book, letter, reason, now_us)
