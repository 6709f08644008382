"""What the agent asks in every turn: the same answers as reading all of it would give, and no more work the more there
is on the box."""

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlite_utils import Database

from appliance.core.asset import Asset
from appliance.core.errors import Refused
from appliance.core.moment import to_text
from appliance.store import assets, items, needs, work
from appliance.store.database import first, open_for_writing, transaction
from appliance.store.shown import Shown, held_bytes
from tests.appliance.boxes import AT_US, S, asset, digest, item

NAMES = "abcdefgh"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    opened = open_for_writing(tmp_path / "box.db")
    yield opened
    opened.close()


def keep(db: Database, chance: random.Random, now_us: int) -> None:
    """An item of some assets, new or anew, published or offered, of now or of another time."""
    named = tuple(asset(name) for name in chance.sample(NAMES, chance.randint(0, 3)))
    times = (None, to_text(now_us + chance.randint(-5, 5) * S))
    kept = item(chance.choice("xyz"), assets=named, publish_at=chance.choice(times), until=chance.choice(times))
    items.keep(db, kept, chance.choice(("published", "offered")), now_us)
    for each in named:
        assets.want(db, each, "item", now_us)


def change(db: Database, chance: random.Random, now_us: int) -> None:
    """Something that may change what is shown."""
    one, other = digest(chance.choice(NAMES)), chance.choice("xyz")
    deeds: tuple[Callable[[], object], ...] = (
        lambda: keep(db, chance, now_us),
        lambda: assets.arrived(db, one, chance.randint(1, 9), now_us),
        lambda: assets.arrived(db, one, chance.randint(1, 9), now_us),
        lambda: assets.gone_bad(db, one),
        lambda: assets.forget(db, one),
        lambda: items.take(db, other, now_us),
        lambda: items.untake(db, other, now_us),
        lambda: items.recall(db, chance.choice((one, other)), "误发", AT_US - S),
        lambda: needs.reconcile(db, frozenset({one}), now_us),
    )
    with suppress(Refused):
        chance.choice(deeds)()


@pytest.mark.parametrize("seed", range(8))
def test_what_is_shown_is_what_reading_all_of_it_says(db: Database, seed: int) -> None:
    """Whatever comes, goes and is rolled back, and wherever the clock is set: else something recalled stays served."""
    chance, shown, now_us, seen = random.Random(seed), Shown(), AT_US, set[str]()
    for step in range(120):
        with suppress(ZeroDivisionError), transaction(db):
            for _deed in range(chance.randint(0, 3)):
                change(db, chance, now_us)
            if chance.random() < 0.2:
                raise ZeroDivisionError
        now_us += chance.choice((0, 0, S // 2, S, 7 * S, -3 * S))
        before, touched = set(seen), shown.look(db, now_us)
        seen = {each for each in map(digest, NAMES) if each in shown}
        assert seen == items.servable(db, now_us), step
        assert before ^ seen <= touched
        held = first(db, "SELECT coalesce(sum(size_bytes), 0) AS n FROM assets WHERE state = 'here'")
        assert held == {"n": held_bytes(db)}


def test_a_clock_that_is_set_back_hides_what_has_not_begun_yet(db: Database) -> None:
    """The time of a box without a battery jumps; nothing else tells that an item is not shown any more."""
    with transaction(db):
        kept = item("x", assets=(asset("a"),), publish_at=to_text(AT_US + 10 * S), until=to_text(AT_US + 30 * S))
        items.keep(db, kept, "published", AT_US)
        assets.want(db, asset("a"), "item", AT_US)
        assets.arrived(db, digest("a"), 5, AT_US)
    shown, seen = Shown(), []
    for second in (5, 20, 5, 20, 40, 20, 5):
        shown.look(db, AT_US + second * S)
        seen.append(digest("a") in shown)
    assert seen == [False, True, False, True, False, True, False]


def stocked(db: Database, count: int) -> None:
    """So many captions are here and shown, and as many wait."""
    with transaction(db):
        for number in range(0, count, 50):
            for part in ("here", "coming"):
                named = tuple(Asset(digest(f"{part} {number + each}"), 5) for each in range(50))
                kept = item(f"{part}-{number}", assets=named)
                items.keep(db, kept, "published", AT_US)
                needs.want_item(db, kept, "item", AT_US + number, AT_US)
                if part == "here":
                    assets.all_arrived(db, [(each.digest, each.size_bytes) for each in named], AT_US)


def work_of(db: Database, ask: Callable[[], object]) -> int:
    """How many instructions SQLite needs for it."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    db.conn.set_progress_handler(step, 1)
    ask()
    db.conn.set_progress_handler(None, 0)
    return steps


def test_what_every_turn_asks_does_not_grow_with_what_is_there(tmp_path: Path) -> None:
    """A turn for some hundred assets that came: were each to read all that are here, 100,000 would take hours."""
    found = []
    for count in (200, 2000):
        db = open_for_writing(tmp_path / f"{count}.db")
        stocked(db, count)
        shown = Shown()
        shown.look(db, AT_US)
        with transaction(db):
            assets.all_arrived(db, [(digest("coming 7"), 5)], AT_US)
        questions: dict[str, Callable[[], object]] = {
            "shown": lambda db=db, shown=shown: shown.look(db, AT_US + S),
            "held": lambda db=db: held_bytes(db),
            "to_fetch": lambda db=db: work.to_fetch(db, 100),
            "alike": lambda db=db: work.alike(db, 1024 * 1024),
            "to_send": lambda db=db: work.to_send(db),
            "next_change": lambda db=db: items.next_change_us(db, AT_US),
            "recalled": lambda db=db: work.recalled_here(db, AT_US),
            "to_package": lambda db=db: work.to_package(db, "recipe", AT_US),
            "transfers": lambda db=db: assets.transfers_up_to(db, [digest("here 1")]),
        }
        found.append({name: work_of(db, ask) for name, ask in questions.items()})
        db.close()
    few, many = found
    grown = {name: (few[name], many[name]) for name in few if many[name] > few[name] * 1.1 + 20}
    assert grown == {}


def test_what_is_due_before_a_named_asset_is_read_and_nothing_behind_it(db: Database) -> None:
    """Readiness forecasts what a channel waits for; the flood behind it is nothing to it."""
    with transaction(db):
        for number, name in enumerate("abc"):
            needs.need_item(db, asset(name), "item", name, AT_US + number, AT_US)
        needs.queue_up(db, digest("a"), 5, AT_US)
    assert [each.digest for each in assets.transfers_up_to(db, [digest("b")])] == [digest("a"), digest("b")]
    assert assets.transfers_up_to(db, [digest("d")]) == ()
