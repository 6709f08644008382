"""The plan, played on worlds made of data."""

import random
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.timetable import Allowance
from edge_agent.core.observation import (
    Child,
    Link,
    Observation,
    Outgoing,
    Policy,
    Space,
    Unpackaged,
    Waiting,
    Wanted,
)
from edge_agent.core.plan import is_idle, next_look_us, plan
from edge_agent.core.steps import (
    Adopt,
    AdoptAll,
    Arrange,
    AskFor,
    Base,
    Compile,
    Connect,
    Deliver,
    Discard,
    DropQuarantined,
    Fetch,
    LogAired,
    Package,
    Remove,
    RenewKeys,
    Report,
    Serve,
    Share,
    Step,
    Stop,
    TakeCommand,
    TakeDrop,
    TakeStock,
    TellOfDrops,
    TellOfMedia,
    TellOfRoom,
    Upload,
    Verify,
    Withdraw,
)
from edge_agent.core.travel import SHARED

NOW_US = 1_795_478_400_000_000
MINUTE_US = 60_000_000
MIB = 1024 * 1024
POLICY = Policy()
CONNECTED = Link("connected", may_deliver=64)
KIB = 1024
GIVING = Link("connected", may_deliver=64, gives_bytes_max=32 * KIB)
ROOMY = Space(free_bytes=10**12, reserve_bytes=10**9)


def seen(**facts: object) -> Observation:
    """A world in which nothing recurs just now, but for these facts."""
    quiet = {
        "now_us": NOW_US,
        "space": ROOMY,
        "compiled_us": NOW_US,
        "arranged_us": NOW_US,
        "aired_us": NOW_US,
        "reported_us": NOW_US,
    }
    return Observation(**{**quiet, **facts})  # type: ignore[arg-type]


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def test_a_box_where_all_is_done_has_nothing_to_do() -> None:
    """Anything else would be a loop that never rests, or work done twice."""
    assert plan(seen(link=CONNECTED), POLICY) == ()


def test_what_must_vanish_comes_before_everything() -> None:
    """A recall must not wait behind a hash, a compilation or a transfer that is begun in the same turn."""
    steps = plan(
        seen(
            link=CONNECTED,
            served=frozenset({digest(1), digest(2)}),
            servable=frozenset({digest(2), digest(3)}),
            recalled=(digest(1),),
            air_changed=True,
            compiled_us=NOW_US - MINUTE_US,
            wanted=(Wanted(digest(4), 10), Wanted(digest(5), 10, staged_bytes=10)),
            commands=(Waiting("c"),),
        ),
        POLICY,
    )
    expected = (Withdraw, Remove, Serve, Compile, TakeCommand, Adopt, Fetch)
    assert tuple(type(step) for step in steps) == expected


def test_a_flood_of_records_compiles_in_bursts() -> None:
    """Each batch changes the air; compiling after each would starve the batches that follow."""
    just_now = seen(air_changed=True, compiled_us=NOW_US - POLICY.compile_pause_us + 1)
    assert plan(just_now, POLICY) == ()
    assert next_look_us(just_now, POLICY) == NOW_US + 1
    assert plan(seen(air_changed=True, compiled_us=NOW_US - POLICY.compile_pause_us), POLICY) == (Compile(),)


def asked(steps: tuple[Step, ...]) -> list[str]:
    return [digest for step in steps if isinstance(step, AskFor) for digest in step.digests]


def test_small_assets_are_asked_for_in_the_session_and_large_ones_fetched() -> None:
    """A caption is not worth a connection of its own."""
    wanted = (Wanted(digest(1), 32 * KIB), Wanted(digest(2), 32 * KIB + 1), Wanted(digest(3), 2 * KIB))
    steps = plan(seen(link=GIVING, wanted=wanted), POLICY)
    assert steps == (AskFor((digest(3), digest(1)), (2 * KIB, 32 * KIB)), Fetch((digest(2),)))
    assert asked(plan(seen(link=CONNECTED, wanted=wanted), POLICY)) == []


@pytest.mark.parametrize("facts", [{"has_failed": True}, {"staged_bytes": 0}, {"is_due": False}, {"is_on_stick": True}])
def test_what_failed_or_was_begun_otherwise_is_not_asked_for(facts: dict[str, bool]) -> None:
    """Else what the hub cannot give so would be asked for for ever."""
    assert asked(plan(seen(link=GIVING, wanted=(Wanted(digest(1), 10, **facts),)), POLICY)) == []


def test_what_may_use_but_a_share_of_the_line_is_not_asked_for_in_the_session() -> None:
    """The session knows no limit; rsync does."""
    wanted = (Wanted(digest(1), 10),)
    steps = plan(seen(link=GIVING, wanted=wanted, allowance=Allowance(100_000, 0)), POLICY)
    assert steps == (Fetch((digest(1),), 100_000),)


def test_no_more_is_on_its_way_in_the_session_than_a_recall_may_wait_for() -> None:
    """All that is said in it comes in one order."""
    wanted = tuple(Wanted(digest(n), 32 * KIB) for n in range(100))
    for rate, bytes_max in ((None, 256 * KIB), (100.0, 64 * KIB), (2_500_000.0, 625_000), (1e9, 1024 * KIB)):
        [step] = plan(seen(link=GIVING, wanted=wanted, rate_bytes_per_s=rate), POLICY)
        assert isinstance(step, AskFor)
        assert bytes_max - 32 * KIB < sum(step.sizes_bytes) <= bytes_max
        assert step.bytes_max == bytes_max
        assert [*step.digests, *(each for each, _size_bytes in step.behind)] == [each.digest for each in wanted]
    under_way = frozenset(digest(n) for n in range(8))
    full = Link("connected", gives_bytes_max=32 * KIB, given=under_way, given_bytes=256 * KIB)
    behind = tuple((digest(n), 32 * KIB) for n in range(8, 100))
    assert plan(seen(link=full, wanted=wanted), POLICY) == (AskFor((), (), behind, 256 * KIB),)
    some_came = msgspec.structs.replace(full, given_bytes=200 * KIB)
    assert asked(plan(seen(link=some_came, wanted=wanted), POLICY)) == [digest(8)]
    tiny = tuple(Wanted(digest(n), 1) for n in range(1000))
    assert len(asked(plan(seen(link=GIVING, wanted=tiny), POLICY))) == POLICY.give_files_max


def test_what_comes_fast_now_counts_where_the_line_was_measured_as_slower() -> None:
    """A box that was busy asked for little, measured little, and would ask for less each time."""
    wanted = tuple(Wanted(digest(n), 32 * KIB) for n in range(100))
    link = msgspec.structs.replace(GIVING, given_bytes_per_s=2_500_000.0)
    for rate in (None, 100.0):
        [step] = plan(seen(link=link, wanted=wanted, rate_bytes_per_s=rate), POLICY)
        assert isinstance(step, AskFor)
        assert step.bytes_max == 625_000


def test_what_follows_ends_where_the_session_is_not_the_way() -> None:
    """A large one in between has its turn by its deadline, not behind all captions of the queue."""
    first = tuple(Wanted(digest(n), 32 * KIB, -1, NOW_US + n) for n in range(20))
    large, last = Wanted(digest(20), 90 * MIB, -1, NOW_US + 20), Wanted(digest(21), 1, -1, NOW_US + 21)
    [step] = plan(seen(link=GIVING, wanted=(*first, large, last)), POLICY)
    assert isinstance(step, AskFor)
    assert [*step.digests, *(each for each, _size_bytes in step.behind)] == [each.digest for each in first]


def test_a_few_small_ones_stop_no_transfer_and_many_that_are_due_before_it_do() -> None:
    """To end a film of ten gigabytes for a caption costs more than the caption; a flood would take half its line."""
    film = Wanted(digest(1), 9000 * MIB, 1, NOW_US + 600 * MINUTE_US)
    children = (Child("fetch", (digest(1),), film.deadline_us),)
    line = {"link": GIVING, "children": children, "rate_bytes_per_s": 2_500_000.0}
    few = tuple(Wanted(digest(n), 2 * KIB, -1, NOW_US + 60 * MINUTE_US) for n in range(2, 12))
    assert plan(seen(**line, wanted=(film, *few)), POLICY) == (
        AskFor(tuple(digest(n) for n in range(2, 12)), (2 * KIB,) * 10),
    )
    many = tuple(Wanted(digest(n), 2 * KIB, -1, NOW_US + 60 * MINUTE_US) for n in range(2, 1000))
    assert plan(seen(**line, wanted=(film, *many)), POLICY)[0] == Stop((digest(1),))


def test_a_flood_of_small_ones_waits_for_what_airs_first() -> None:
    """Earliest deadline first, whichever way it comes."""
    news = Wanted(digest(1), 60 * MIB, 1, NOW_US + 5 * MINUTE_US)
    children = (Child("fetch", (digest(1),), news.deadline_us),)
    flood = tuple(Wanted(digest(n), 32 * KIB, -1, NOW_US + 60 * MINUTE_US) for n in range(2, 1000))
    steps = plan(seen(link=GIVING, children=children, rate_bytes_per_s=250_000.0, wanted=(news, *flood)), POLICY)
    assert steps == ()


def test_what_is_asked_for_is_busy_and_its_room_is_taken() -> None:
    """It is neither fetched as well nor thrown away, and a box that holds some of it in memory is not at rest."""
    link = Link("connected", gives_bytes_max=32 * KIB, given=frozenset({digest(1)}), given_bytes=10)
    world = seen(link=link, wanted=(Wanted(digest(1), 10),), unwanted_staged=(digest(1),))
    assert plan(world, POLICY) == ()
    assert not is_idle(world, ())
    small_disk = Space(free_bytes=15, reserve_bytes=0)
    both = (Wanted(digest(1), 10), Wanted(digest(2), 10))
    assert asked(plan(seen(link=link, wanted=both, space=small_disk), POLICY)) == []
    assert asked(plan(seen(link=GIVING, wanted=both[1:], space=small_disk), POLICY)) == [digest(2)]


def test_what_is_due_first_travels_first() -> None:
    """The news at seven must not stand in line behind a film of next week."""
    wanted = tuple(
        Wanted(digest(n), 100 * MIB, deadline_us=NOW_US + due * MINUTE_US) for n, due in enumerate((90, 5, 40))
    )
    steps = plan(seen(link=CONNECTED, wanted=(Wanted(digest(9), 100 * MIB), *wanted)), POLICY)
    assert steps == (Fetch((digest(1),)), Fetch((digest(2),)))


def test_small_assets_travel_together() -> None:
    """A page of forty pictures in forty connections takes forty times the round trips."""
    wanted = tuple(Wanted(digest(n), 5000) for n in range(1000))
    steps = plan(seen(link=CONNECTED, wanted=wanted), POLICY)
    assert [len(step.digests) for step in steps if isinstance(step, Fetch)] == [900, 100]
    wanted = tuple(Wanted(digest(n), 300_000) for n in range(200))
    steps = plan(seen(link=CONNECTED, wanted=wanted), POLICY)
    assert [len(step.digests) for step in steps if isinstance(step, Fetch)] == [111, 89]


def test_small_uploads_travel_together_and_what_failed_alone() -> None:
    """A photographer's folder goes up in one transfer; one file that is gone must not hold up the others."""
    outgoing = tuple(Outgoing(digest(n), 5000, has_failed=n == 7) for n in range(10))
    steps = plan(seen(link=CONNECTED, outgoing=outgoing), Policy(uploads_max=3))
    assert [len(step.digests) for step in steps if isinstance(step, Upload)] == [7, 1, 2]
    running = (Child("upload", tuple(digest(n) for n in range(7))),)
    steps = plan(seen(link=CONNECTED, outgoing=outgoing, children=running), POLICY)
    assert steps == (Upload((digest(7),)), Share())[:1]


def test_many_batches_share_a_connection_that_is_closed_after_them() -> None:
    """To open one takes ten round trips: as long as a batch travels."""
    wanted = tuple(Wanted(digest(n), 5000) for n in range(3000))
    steps = plan(seen(link=CONNECTED, wanted=wanted), POLICY)
    assert [type(step) for step in steps] == [Share, Fetch, Fetch]
    shared = Child("share", SHARED)
    assert [type(step) for step in plan(seen(link=CONNECTED, wanted=wanted, children=(shared,)), POLICY)] == [Fetch] * 2
    assert plan(seen(link=CONNECTED, children=(shared,)), POLICY) == (Stop(SHARED),)
    last = seen(link=CONNECTED, children=(shared, Child("fetch", (digest(1),))), wanted=wanted[1:2])
    assert plan(last, POLICY) == ()
    assert is_idle(seen(children=(shared,)), ())


def test_an_asset_that_failed_travels_alone() -> None:
    """One that the hub does not have makes rsync bring none of those that travel with it."""
    wanted = (Wanted(digest(0), 5), Wanted(digest(1), 5, has_failed=True), Wanted(digest(2), 5), Wanted(digest(3), 5))
    steps = plan(seen(link=CONNECTED, wanted=wanted), Policy(fetches_max=9))
    assert steps == (Fetch((digest(0),)), Fetch((digest(1),)), Fetch((digest(2), digest(3))))


def test_a_new_version_travels_alone_and_as_a_difference() -> None:
    """First its basis is laid, then it is compared with it; after a cut what has come becomes part of the basis."""
    small, like = Wanted(digest(0), 5), digest(9)
    new = Wanted(digest(1), 90 * MIB, base=like)
    assert plan(seen(link=CONNECTED, wanted=(small, new)), POLICY) == (Fetch((digest(0),)), Base(digest(1), like))
    laid = Wanted(digest(1), 90 * MIB, base=like, has_basis=True)
    assert plan(seen(link=CONNECTED, wanted=(laid,)), POLICY) == (Fetch((digest(1),), is_difference=True),)
    cut = Wanted(digest(1), 90 * MIB, 5 * MIB, base=like, has_basis=True)
    assert plan(seen(link=CONNECTED, wanted=(cut,)), POLICY) == (Base(digest(1), like),)
    laying = seen(link=CONNECTED, wanted=(cut,), children=(Child("base", (digest(1),)),))
    assert plan(laying, POLICY) == ()
    assert plan(seen(link=CONNECTED, children=laying.children), POLICY) == (Stop((digest(1),)),)
    for without in (Wanted(digest(1), 90, 5, base=like), Wanted(digest(1), 90, 5, has_basis=True)):
        assert plan(seen(link=CONNECTED, wanted=(without,)), POLICY) == (Fetch((digest(1),)),)


def test_more_urgent_work_takes_the_place_of_a_running_bulk_transfer() -> None:
    """Both places are taken by films when the break-in of tonight is announced."""
    films = (
        Wanted(digest(1), 9 * 1024 * MIB, 5, deadline_us=NOW_US + 3000 * MINUTE_US),
        Wanted(digest(2), 9 * 1024 * MIB),
    )
    running = tuple(Child("fetch", (film.digest,), film.deadline_us) for film in films)
    urgent = Wanted(digest(3), 50 * MIB, deadline_us=NOW_US + 20 * MINUTE_US)
    steps = plan(seen(link=CONNECTED, wanted=(*films, urgent), children=running), POLICY)
    assert steps == (Stop((digest(2),)), Fetch((digest(3),)))
    as_urgent = Wanted(digest(4), 50 * MIB, deadline_us=NOW_US + 2999 * MINUTE_US)
    busy = (running[0], Child("fetch", (digest(3),), urgent.deadline_us))
    assert plan(seen(link=CONNECTED, wanted=(*films, urgent, as_urgent), children=busy), POLICY) == ()


def test_nothing_gives_way_to_what_has_no_room() -> None:
    """A transfer that was stopped for something that cannot come anyway has lost its time for nothing."""
    space = Space(free_bytes=60 * MIB, reserve_bytes=0)
    films = tuple(Wanted(digest(n), 20 * MIB, 10 * MIB) for n in (1, 2))
    running = tuple(Child("fetch", (film.digest,)) for film in films)
    urgent = Wanted(digest(3), 90 * MIB, deadline_us=NOW_US)
    steps = plan(seen(link=CONNECTED, space=space, wanted=(*films, urgent), children=running), POLICY)
    assert steps == (TellOfRoom(50 * MIB),)


def test_what_airs_next_is_not_slowed_down() -> None:
    """The county's office may share the line; the air may not wait for it."""
    soon_us = NOW_US + MINUTE_US
    airs, shown = Wanted(digest(1), 90 * MIB, -1, soon_us, is_for_air=True), Wanted(digest(2), 90 * MIB, -1, soon_us)
    held_back = {"link": CONNECTED, "allowance": Allowance(100_000, 50_000)}
    assert plan(seen(**held_back, wanted=(airs, shown)), POLICY) == (Fetch((digest(1),), 0),)
    outgoing = (Outgoing(digest(3), 90 * MIB), Outgoing(digest(4), 90 * MIB))
    steps = plan(seen(**held_back, wanted=(shown, Wanted(digest(5), 90 * MIB)), outgoing=outgoing), POLICY)
    assert steps == (Fetch((digest(2),), 100_000), Upload((digest(3),), 50_000))


def test_running_transfers_follow_the_timetable_and_what_comes_to_air_soon_is_set_free() -> None:
    """At six in the evening the office goes home: what runs must not crawl on through the night."""
    film = Wanted(digest(1), 90 * MIB, 5, NOW_US + 9 * 3600 * 1_000_000, is_for_air=True)
    running = (Child("fetch", (digest(1),), film.deadline_us, 100_000), Child("upload", (digest(2),), None, 50_000))
    by_day = seen(link=CONNECTED, wanted=(film,), children=running, allowance=Allowance(100_000, 50_000))
    assert plan(by_day, POLICY) == ()
    at_night = seen(link=CONNECTED, wanted=(film,), children=running)
    assert plan(at_night, POLICY) == (Stop((digest(1),)), Stop((digest(2),)))
    soon = msgspec.structs.replace(film, deadline_us=NOW_US + MINUTE_US)
    freed = msgspec.structs.replace(by_day, wanted=(soon,))
    assert plan(freed, POLICY) == (Stop((digest(1),)),)


def test_nothing_travels_while_the_hub_is_away_but_what_is_staged_is_taken_in() -> None:
    """What arrived before the cut must air during it."""
    wanted = (Wanted(digest(1), 10), Wanted(digest(2), 10, staged_bytes=10))
    outgoing = (Outgoing(digest(3), 10), Outgoing(digest(4), 10, is_there=True))
    away = seen(link=Link("away", NOW_US + 1), wanted=wanted, outgoing=outgoing)
    assert plan(away, POLICY) == (Adopt(digest(2)),)
    assert plan(seen(link=Link("away", NOW_US)), POLICY) == (Connect(),)
    assert plan(seen(link=Link("alone")), POLICY) == ()


def test_keys_that_are_due_are_changed_once_at_a_time_also_without_the_media() -> None:
    """Whatever else is wrong with the box: without keys nobody can help it."""
    due = seen(link=CONNECTED, must_renew_keys=True)
    assert plan(due, POLICY) == (RenewKeys(),)
    changing = msgspec.structs.replace(due, children=(Child("renew", ("keys",)),))
    assert plan(changing, POLICY) == ()
    assert not is_idle(changing, ()), "a run that ends by itself waits for it"
    assert RenewKeys() in plan(msgspec.structs.replace(due, media="told"), POLICY)
    without = msgspec.structs.replace(changing, media="away")
    assert not {RenewKeys(), Stop(("keys",))} & {*plan(without, POLICY)}


def test_large_files_are_read_by_few_processes_at_a_time() -> None:
    """Twenty films that arrived in one night, read all at once, would leave no disk for the air."""
    staged = [Wanted(digest(n), 50 * MIB, 50 * MIB) for n in range(9)] + [
        Wanted(digest(n), 5, 5) for n in range(20, 50)
    ]
    steps = plan(seen(wanted=tuple(staged)), POLICY)
    assert [type(step) for step in steps] == [AdoptAll, Adopt]
    assert len(plan(seen(wanted=tuple(staged[:-10])), POLICY)) == POLICY.adoptions_max + POLICY.readings_max
    reading = tuple(Child("adopt", (digest(n),)) for n in (0, 1))
    assert plan(seen(wanted=tuple(staged[:9]), children=reading), POLICY) == ()


def test_a_full_disk_makes_room_first_and_holds_only_what_has_none() -> None:
    """One film that cannot be kept must not keep a hundred pictures away, nor eat the reserve."""
    space = Space(free_bytes=30 * MIB, reserve_bytes=20 * MIB, evictable=((digest(7), 5 * MIB), (digest(8), 90 * MIB)))
    wanted = (Wanted(digest(1), 60 * MIB, deadline_us=NOW_US), Wanted(digest(2), MIB))
    steps = plan(seen(link=CONNECTED, space=space, wanted=wanted), POLICY)
    assert steps == (Fetch((digest(2),)), Remove(digest(7)), Remove(digest(8)))
    hopeless = (Wanted(digest(1), 900 * MIB, deadline_us=NOW_US),)
    assert plan(seen(link=CONNECTED, space=space, wanted=hopeless), POLICY) == (TellOfRoom(795 * MIB),)


def test_the_reserve_is_won_back() -> None:
    """Somebody else may fill the disk; the database must go on being written."""
    space = Space(free_bytes=MIB, reserve_bytes=3 * MIB, evictable=tuple((digest(n), MIB) for n in range(5)))
    assert plan(seen(space=space), POLICY) == (Remove(digest(0)), Remove(digest(1)))


def test_running_transfers_have_taken_their_room() -> None:
    """Counting free bytes while two films are coming in would promise the same bytes to a third."""
    space = Space(free_bytes=100 * MIB, reserve_bytes=0)
    wanted = (Wanted(digest(1), 80 * MIB, staged_bytes=10 * MIB), Wanted(digest(2), 60 * MIB))
    children = (Child("fetch", (digest(1),)),)
    assert plan(seen(link=CONNECTED, space=space, wanted=wanted, children=children), POLICY) == (TellOfRoom(30 * MIB),)


def test_that_there_is_no_room_is_told_once_and_so_is_that_there_is_again() -> None:
    """An alarm that comes and goes with every look is not read by anybody."""
    full = Space(free_bytes=5, reserve_bytes=0, is_told=True)
    wanted = (Wanted(digest(1), 10),)
    assert plan(seen(link=CONNECTED, space=full, wanted=wanted), POLICY) == ()
    assert plan(seen(link=CONNECTED, space=full), POLICY) == (TellOfRoom(0),)
    believed = Space(free_bytes=10**9, reserve_bytes=0, is_told=True, full_until_us=NOW_US + 1)
    assert plan(seen(link=CONNECTED, space=believed), POLICY) == ()


def test_a_transfer_that_nobody_wants_any_more_is_ended_and_its_bytes_let_go() -> None:
    """A recall that arrives while the asset does must not let it finish."""
    children = (Child("fetch", (digest(1),)),)
    running = seen(link=CONNECTED, children=children, unwanted_staged=(digest(1),))
    assert plan(running, POLICY) == (Stop((digest(1),)),)
    assert plan(seen(link=CONNECTED, unwanted_staged=(digest(1),)), POLICY) == (Discard(digest(1)),)


def test_the_hub_is_told_again_in_each_session_what_lies_in_incoming() -> None:
    """The word that an upload is complete may have died with the line; the receipt would never come."""
    outgoing = (Outgoing(digest(1), 5, is_there=True), Outgoing(digest(2), 5, is_there=True, is_told=True))
    assert plan(seen(link=CONNECTED, outgoing=outgoing), POLICY) == (Deliver(digest(1)),)
    full = Link("connected", may_deliver=0)
    assert plan(seen(link=full, outgoing=outgoing), POLICY) == ()


def test_reading_again_is_one_at_a_time_beside_all_else() -> None:
    """A box that always fetches something must find its bad blocks too; a second reader would disturb the first."""
    packaging = (Child("package", (digest(5),)),)
    due = {"unverified": (digest(1), digest(2)), "verify_bytes_per_s": 7}
    assert plan(seen(**due, children=packaging), POLICY) == (Verify(digest(1), 7),)
    assert plan(seen(**due, children=(Child("verify", (digest(1),)),)), POLICY) == ()
    arrived = tuple(Wanted(digest(n), 9 * MIB, 9 * MIB) for n in (6, 7))
    reading = seen(wanted=arrived, children=(Child("verify", (digest(1),)),))
    assert plan(reading, POLICY) == (Adopt(digest(6)), Adopt(digest(7)))


def test_what_is_over_in_quarantine_goes() -> None:
    """Bytes that nothing will be compared with any more must not fill the disk."""
    assert plan(seen(quarantine_over=("ab", "cd.unreadable")), POLICY) == (
        DropQuarantined("ab"),
        DropQuarantined("cd.unreadable"),
    )


def test_without_its_disk_the_box_goes_on_and_touches_no_asset() -> None:
    """An empty mount point says that all has vanished; air, records and commands do not believe it."""
    away = {
        "media": "away",
        "link": Link("away", next_attempt_us=NOW_US),
        "served": frozenset({digest(1)}),
        "recalled": (digest(1),),
        "wanted": (Wanted(digest(2), 5), Wanted(digest(3), 5, 5)),
        "unverified": (digest(4),),
        "commands": (Waiting("c"),),
        "air_changed": True,
        "compiled_us": 0,
        "reported_us": 0,
    }
    steps = plan(seen(**away), POLICY)
    assert steps == (TellOfMedia(), Compile(), TakeCommand("c"), Connect(), Report())
    assert plan(seen(**{**away, "media": "told"}), POLICY) == steps[1:]
    assert plan(seen(**{**away, "media": "back"}), POLICY) == (TakeStock(),)
    at_work = {**away, "media": "back", "children": (Child("fetch", (digest(2),)),)}
    assert plan(seen(**at_work), POLICY)[0] == Stop((digest(2),)), "what still writes there ends first"
    assert TakeStock() not in plan(seen(**at_work), POLICY)


def test_what_nothing_uses_goes_when_there_is_more_than_there_may_be() -> None:
    """A quota is for what could go. It keeps nothing out that must be here: the disk alone may do that."""
    room = Space(10**9, 0, ((digest(1), 30), (digest(2), 30), (digest(3), 30)), cache_bytes=120, cache_bytes_max=100)
    assert plan(seen(space=room), POLICY) == (Remove(digest(1)),)
    needed = (Wanted(digest(9), 30),)
    assert plan(seen(space=room, link=CONNECTED, wanted=needed), POLICY) == (
        Fetch((digest(9),)),
        Remove(digest(1)),
        Remove(digest(2)),
    )
    all_in_use = Space(10**9, 0, (), cache_bytes=500, cache_bytes_max=100)
    assert plan(seen(space=all_in_use, link=CONNECTED, wanted=needed), POLICY) == (Fetch((digest(9),)),)


def test_once_does_not_end_while_something_can_still_come_of_it() -> None:
    """`agent --once` in a script is followed by what relies on it."""
    for waiting in (
        seen(children=(Child("fetch", (digest(1),)),)),
        seen(is_settling=True),
        seen(air_changed=True),
        seen(link=Link("dialling", is_settled=False)),
        seen(link=Link("away", next_attempt_us=NOW_US)),
        seen(commands=(Waiting("c"),)),
    ):
        assert not is_idle(waiting, plan(waiting, POLICY)), waiting
    for idle in (
        seen(),
        seen(link=Link("away", NOW_US + 1), outgoing=(Outgoing(digest(1), 5),), wanted=(Wanted(digest(2), 5),)),
        seen(link=CONNECTED, wanted=(Wanted(digest(2), 5, is_due=False),)),
        seen(reported_us=0, compiled_us=0, aired_us=0),
    ):
        assert is_idle(idle, plan(idle, POLICY)), idle


@dataclass
class World:
    """A box of which a plan can be carried out at once. `held` maps what is on disk to its bytes."""

    held: dict[str, int]
    pinned: set[str]
    servable: set[str]
    wanted: dict[str, Wanted]
    outgoing: dict[str, Outgoing]
    unpackaged: dict[str, Unpackaged]
    commands: set[str]
    drops: set[str]
    recalled: set[str]
    unverified: set[str]
    disk_bytes: int
    quota_bytes: int
    link: Link = field(default_factory=lambda: Link("away"))
    served: set[str] = field(default_factory=set)
    staged: dict[str, int] = field(default_factory=dict)
    laid: set[str] = field(default_factory=set)
    is_shared: bool = False
    done: list[Step] = field(default_factory=list)
    compiled_us: int = 0
    aired_us: int = 0
    arranged_us: int = 0
    reported_us: int = 0

    def observe(self) -> Observation:
        evictable = sorted(set(self.held) - self.pinned)
        return Observation(
            now_us=NOW_US,
            space=Space(
                self.disk_bytes - sum(self.held.values()) - sum(self.staged.values()),
                100,
                tuple((each, self.held[each]) for each in evictable),
                cache_bytes=sum(self.held.values()) + sum(self.staged.values()),
                cache_bytes_max=self.quota_bytes,
            ),
            link=self.link,
            children=(Child("share", SHARED),) if self.is_shared else (),
            commands=tuple(Waiting(each) for each in sorted(self.commands)),
            drops=tuple(Waiting(each) for each in sorted(self.drops)),
            wanted=tuple(
                Wanted(
                    each,
                    want.size_bytes,
                    self.staged.get(each, -1),
                    want.deadline_us,
                    base=want.base if want.base in self.held else None,
                    has_basis=each in self.laid,
                )
                for each, want in self.wanted.items()
            ),
            outgoing=tuple(self.outgoing.values()),
            unpackaged=tuple(self.unpackaged.values()),
            servable=frozenset(self.servable & set(self.held)),
            served=frozenset(self.served),
            recalled=tuple(sorted(self.recalled & set(self.held))),
            unwanted_staged=tuple(sorted(set(self.staged) - set(self.wanted))),
            unverified=tuple(sorted(self.unverified & set(self.held))),
            compiled_us=self.compiled_us,
            aired_us=self.aired_us,
            arranged_us=self.arranged_us,
            reported_us=self.reported_us,
        )

    def adopt(self, arrived: str) -> None:
        self.held[arrived] = self.staged.pop(arrived)
        self.pinned.add(arrived)
        del self.wanted[arrived]

    def do(self, step: Step) -> None:
        """As if it had succeeded, and whatever it starts had ended."""
        self.done.append(step)
        match step:
            case Withdraw(gone):
                self.served.discard(gone)
            case Serve(shown):
                assert self.held.keys() >= set(shown)
                self.served.update(shown)
            case Connect():
                self.link = CONNECTED
            case Base(new, old):
                # One that was let go in the same turn cannot be laid: then it travels whole.
                if old in self.held:
                    self.laid.add(new)
                    self.staged.pop(new, None)
            case Fetch(digests):
                for each in digests:
                    self.staged[each] = self.wanted[each].size_bytes
                assert self.observe().space.free_bytes >= 100, "the reserve was eaten"
            case Adopt(arrived):
                self.adopt(arrived)
            case AdoptAll(many):
                for each in many:
                    self.adopt(each)
            case Remove(gone):
                assert gone not in self.pinned or gone in self.recalled, "a pinned asset was let go"
                self.held.pop(gone, None)
                self.served.discard(gone)
                self.recalled.discard(gone)
            case Discard(gone):
                del self.staged[gone]
            case Upload(sent):
                for each in sent:
                    self.outgoing[each] = Outgoing(each, 1, is_there=True)
            case Deliver(up):
                del self.outgoing[up]
            case Package(source):
                del self.unpackaged[source]
            case TakeCommand(name):
                self.commands.remove(name)
            case TakeDrop(key):
                self.drops.remove(key)
            case Verify(read):
                self.unverified.discard(read)
            case Compile():
                self.compiled_us = NOW_US
            case LogAired():
                self.aired_us = NOW_US
            case Arrange():
                self.arranged_us = NOW_US
            case Report():
                self.reported_us = NOW_US
            case Share():
                self.is_shared = True
            case Stop(("hub",)):
                self.is_shared = False
            case DropQuarantined() | TakeStock() | TellOfMedia() | Stop() | TellOfDrops() | TellOfRoom():
                raise AssertionError("nothing runs, nothing is to tell")


def _some(low: int, high: int) -> st.SearchStrategy[set[str]]:
    return st.sets(st.integers(low, high).map(digest), max_size=12)


_DUE = st.none() | st.integers(-60, 600).map(lambda minutes: NOW_US + minutes * MINUTE_US)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    held = {each: draw(st.integers(1, 50)) for each in draw(_some(0, 20))}
    pinned = {each for each in held if draw(st.booleans())}
    base = st.sampled_from([None, *sorted(held)])
    wanted = {
        each: Wanted(each, draw(st.integers(1, 60)), deadline_us=draw(_DUE), base=draw(base))
        for each in draw(_some(30, 60))
    }
    needed = sum(held[each] for each in pinned) + sum(want.size_bytes for want in wanted.values())
    recalled = draw(st.sets(st.sampled_from(sorted(held)))) if held else set()
    return World(
        held=held,
        pinned=pinned,
        servable=draw(_some(0, 60)) - recalled - (held.keys() - pinned),
        served=draw(_some(0, 20)),
        wanted=wanted,
        staged={each: draw(st.integers(0, wanted[each].size_bytes)) for each in wanted if draw(st.booleans())}
        | dict.fromkeys(draw(_some(70, 75)), 5),
        outgoing={each: Outgoing(each, 1, is_there=draw(st.booleans())) for each in draw(_some(80, 99))},
        unpackaged={each: Unpackaged(each, 1) for each in held},
        commands=draw(st.sets(st.text(max_size=3), max_size=5)),
        drops=draw(st.sets(st.text(max_size=3), max_size=5)),
        recalled=recalled,
        unverified=set(held) if draw(st.booleans()) else set(),
        disk_bytes=max(needed, sum(held.values())) + 5 * 6 + 200 + draw(st.integers(0, 500)),
        quota_bytes=draw(st.integers(0, 300)),
    )


def test_how_the_box_is_is_told_within_a_second_of_a_change() -> None:
    """An alarm that comes ten seconds late has cost ten seconds of thirty minutes; but a flood tells it once."""
    told = NOW_US - 600_000
    assert plan(seen(reported_us=told, changed_us=told + 1), POLICY) == (Report(),)
    assert plan(seen(reported_us=told, changed_us=told - 1), POLICY) == ()
    fresh = seen(reported_us=NOW_US - 100_000, changed_us=NOW_US)
    assert plan(fresh, POLICY) == ()
    assert next_look_us(fresh, POLICY) == NOW_US + 400_000
    assert POLICY.compile_pause_us + POLICY.report_pause_us < 1_000_000


def test_the_library_follows_the_ledger_and_not_each_of_its_changes() -> None:
    """Names are for people and for engines that read them in minutes."""
    assert plan(seen(compiled_us=NOW_US - 1, arranged_us=NOW_US - 3_000_000), POLICY) == (Arrange(),)
    assert plan(seen(compiled_us=NOW_US - 1, arranged_us=NOW_US - 1_000_000), POLICY) == ()


@settings(max_examples=100, deadline=None)
@given(world=worlds(), seed=st.integers(0, 2**32))
def test_a_world_where_all_succeeds_comes_to_rest(world: World, seed: int) -> None:
    """Planned, carried out in any order and planned again, the work ends, all that was wanted is here, nothing pinned
    was lost and the reserve never eaten."""
    order = random.Random(seed)
    everything = set(world.wanted)
    kept = world.pinned - world.recalled
    for _round in range(200):
        steps = list(plan(world.observe(), POLICY))
        if not steps:
            break
        if order.random() < 0.5:
            order.shuffle(steps)
        for step in steps:
            world.do(step)
    assert plan(world.observe(), POLICY) == ()
    assert everything | kept <= set(world.held)
    loose = set(world.held) - world.pinned
    assert not loose or not world.quota_bytes or sum(world.held.values()) <= world.quota_bytes
    assert world.served == world.servable & set(world.held)
    assert (world.commands, world.drops, world.outgoing, world.unpackaged) == (set(), set(), {}, {})
    assert set(world.staged) == set()
