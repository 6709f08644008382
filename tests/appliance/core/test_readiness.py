"""Each coming entry is ready, ready by, late by, or cannot, and the promise is one that can be kept."""

from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.errors import Text
from appliance.core.findings import Check, Finding
from appliance.core.live import Answer
from appliance.core.readiness import ComingEntry, Ready, Stock, describe, not_ready, rows
from appliance.core.stock import Holding, RenditionState, Transfer
from appliance.core.ts import HOUSE_PROFILE
from tests.appliance.boxes import AT_US, S, digest

CLIP, MADE = digest("a"), digest("b")


def entry(in_s: float = 100, asset: str | None = CLIP, kind: str = "programme") -> ComingEntry:
    return ComingEntry(
        channel="dengfeng-1",
        date="2026-11-24",
        entry_id="e1",
        title="新闻",
        kind=kind,
        start_us=AT_US + round(in_s * S),
        end_us=AT_US + round(in_s * S) + 60 * S,
        asset=asset,
    )


def made(state: str, made_digest: str | None = MADE, reason: Text | None = None) -> Mapping[str, RenditionState]:
    return {
        CLIP: RenditionState(
            source=CLIP,
            profile=HOUSE_PROFILE,
            state=state,
            digest=made_digest,
            reason=reason,  # type: ignore[arg-type]
        )
    }


def held(which: str, state: str, duration_s: float | None = None) -> Mapping[str, Holding]:
    return {which: Holding(digest=which, size_bytes=1000, state=state, duration_s=duration_s)}  # type: ignore[arg-type]


def down(which: str, size_bytes: int, deadline_us: int | None = None, **more: object) -> Transfer:
    return Transfer(digest=which, direction="down", size_bytes=size_bytes, deadline_us=deadline_us, **more)  # type: ignore[arg-type]


def stock(**parts: object) -> Stock:
    return Stock(now_us=AT_US, **{"rate_bytes_per_s": 10.0, **parts})  # type: ignore[arg-type]


def row(entry_: ComingEntry, stock_: Stock) -> Ready:
    (found,) = rows([entry_], stock_)
    return found


def test_a_rendition_on_disk_is_ready() -> None:
    """Green means: the bytes are here, verified and in house format."""
    assert row(entry(), stock(renditions=made("here"))).state == "ready"


def test_what_is_on_its_way_is_ready_by_its_turn_in_the_queue() -> None:
    """The line carries the most urgent first; what is half here needs only the rest."""
    queue = (
        down(MADE, 500, AT_US + 50 * S),
        down(digest("c"), 1000, None),
        down(digest("d"), 300, AT_US + 10 * S, done_bytes=200),
        Transfer(digest=digest("e"), direction="up", size_bytes=10**9),
        down(digest("f"), 10**9, AT_US, state="done"),
    )
    found = row(entry(), stock(renditions=made("wanted"), transfers=queue))
    assert (found.state, found.ready_at_us) == ("ready_by", AT_US + 60 * S)


def test_what_comes_too_late_says_by_how_much() -> None:
    """So that the technician can decide whether to move the programme."""
    found = row(entry(in_s=30), stock(renditions=made("wanted"), transfers=(down(MADE, 500),)))
    assert (found.state, found.late_by_s, found.ready_at_us) == ("late_by", 20.0, AT_US + 50 * S)


def test_nothing_is_promised_over_a_line_that_is_down() -> None:
    """A promise that depends on a digger is none."""
    found = row(entry(), stock(renditions=made("wanted"), transfers=(down(MADE, 500),), rate_bytes_per_s=None))
    assert (found.state, found.ready_at_us) == ("cannot", None)
    assert found.reason is not None
    assert "line" in found.reason.en


def test_a_transfer_that_waits_for_its_next_attempt_is_counted_from_then() -> None:
    """And the reason of its failure is told."""
    waiting = down(MADE, 500, not_before_us=AT_US + 40 * S, reason=Text("断线", "cut"))
    found = row(entry(), stock(renditions=made("wanted"), transfers=(waiting,)))
    assert (found.state, found.ready_at_us, found.reason) == ("ready_by", AT_US + 90 * S, Text("断线", "cut"))


def test_a_local_clip_is_ready_once_packaging_can_have_ended() -> None:
    """A clip that a county editor dropped in must be brought to house format here."""
    here = stock(holdings=held(CLIP, "here", duration_s=60))
    assert (row(entry(), here).state, row(entry(), here).ready_at_us) == ("ready_by", AT_US + 60 * S)
    assert row(entry(in_s=59), here).state == "late_by"
    making = stock(holdings=held(CLIP, "here", duration_s=60), renditions=made("packaging", None))
    assert row(entry(), making).state == "ready_by"


def test_a_source_on_its_way_needs_the_line_and_then_packaging() -> None:
    """One after the other."""
    coming = stock(holdings=held(CLIP, "wanted", duration_s=30), transfers=(down(CLIP, 500),))
    assert row(entry(), coming).ready_at_us == AT_US + 80 * S


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (stock(), "never announced"),
        (stock(renditions=made("failed", None, Text("无画面", "no picture"))), "no picture"),
        (stock(renditions=made("here"), recalled=frozenset({CLIP})), "recalled"),
        (stock(renditions=made("wanted"), holdings=held(MADE, "bad")), "went bad"),
        (stock(renditions=made("wanted"), holdings=held(MADE, "wanted")), "not in the transfer queue"),
        (stock(holdings=held(CLIP, "wanted")), "not in the transfer queue"),
    ],
    ids=range(6),
)
def test_what_cannot_air_says_why(seen: Stock, why: str) -> None:
    """Red without a reason is of no use to anybody."""
    found = row(entry(), seen)
    assert found.state == "cannot"
    assert found.reason is not None
    assert why in found.reason.en


def test_a_live_entry_is_as_ready_as_its_source_said_last() -> None:
    """Before it is asked there is nothing to say against it; what it said long ago is no word of now."""
    url = "http://10.1.2.3/live.m3u8"
    why = Text("超时", "timed out")
    for answer, state, reason in (
        (None, "ready", "from half an hour before"),
        (Answer(AT_US, None), "ready", ""),
        (Answer(AT_US, why), "cannot", "timed out"),
        (Answer(AT_US - 3600 * 1_000_000, why), "ready", "from half an hour before"),
    ):
        sources = {url: answer} if answer else {}
        found = row(msgspec.structs.replace(entry(asset=None, kind="live"), url=url), stock(sources=sources))
        assert (found.state, reason in (found.reason.en if found.reason else "")) == (state, True)


def test_fillers_without_an_asset_are_ready() -> None:
    """A gap is closed by what is here."""
    assert row(entry(asset=None, kind="filler"), stock()).state == "ready"


def test_an_entry_brings_its_proof() -> None:
    """Verified when, and in house format: green alone is a claim."""
    file = Holding(digest=MADE, size_bytes=1, role="rendition", state="here", verified_at_us=AT_US - 60 * S)
    found = row(entry(), stock(renditions=made("here"), holdings={MADE: file}))
    assert (found.state, found.verified_at_us, found.is_packaged) == ("ready", AT_US - 60 * S, True)
    waiting = row(entry(), stock(renditions=made("wanted"), transfers=(down(MADE, 500),)))
    assert (waiting.verified_at_us, waiting.is_packaged) == (None, False)


def test_what_is_not_ready_says_what_to_do() -> None:
    """At night nobody knows by heart what a reason asks for."""
    cases = (
        stock(),
        stock(holdings=held(CLIP, "here")),
        stock(recalled={CLIP}),
        stock(renditions=made("failed", None, Text("坏", "broken"))),
        stock(renditions=made("wanted"), transfers=(down(MADE, 5000),)),
        stock(renditions=made("wanted"), transfers=(down(MADE, 5),)),
        stock(renditions=made("wanted"), transfers=(down(MADE, 5),), rate_bytes_per_s=None),
    )
    found = [row(entry(), each) for each in cases]
    assert all(each.todo is not None and each.todo.zh and each.todo.en for each in found if each.state != "ready")
    assert [each.todo.en for each in found if each.state == "ready_by" and each.todo] == ["nothing to do"] * 2


def test_the_overview_gets_what_is_not_ready() -> None:
    """Green rows are not news."""
    found = rows([entry(), entry(asset=None, kind="filler")], stock())
    assert [each.state for each in not_ready(found)] == ["cannot"]


def test_every_state_has_words_in_both_languages() -> None:
    """For a terminal, after the time and the title."""
    late = row(entry(in_s=30), stock(renditions=made("wanted"), transfers=(down(MADE, 500),)))
    early = row(entry(), stock(renditions=made("wanted"), transfers=(down(MADE, 500),)))
    never, now = row(entry(), stock()), row(entry(), stock(renditions=made("here")))
    assert [describe(each).en.split(":")[0] for each in (now, early, late, never)] == [
        "ready",
        "ready 50 s before its start, at risk",
        "late by 20 s",
        "cannot air",
    ]
    assert all(describe(each).zh for each in (late, early, never, now))


@given(
    sizes=st.lists(st.integers(0, 1000), min_size=1, max_size=6),
    deadlines=st.lists(st.one_of(st.none(), st.integers(0, 10)), min_size=6, max_size=6),
    rate=st.floats(1, 1e6),
)
def test_more_urgent_work_is_never_promised_later_than_less_urgent(
    sizes: list[int], deadlines: list[int | None], rate: float
) -> None:
    """The forecast is that of a line that carries one thing after the other, in order of deadline."""
    letters = "abcdef"[: len(sizes)]
    transfers = [
        down(digest(each), size, deadline) for each, size, deadline in zip(letters, sizes, deadlines, strict=False)
    ]
    renditions = {
        digest(each): RenditionState(source=digest(each), profile=HOUSE_PROFILE, digest=digest(each))
        for each in letters
    }
    found = rows(
        [entry(asset=digest(each)) for each in letters],
        stock(renditions=renditions, transfers=transfers, rate_bytes_per_s=rate),
    )
    urgency = {each.digest: (each.deadline_us is None, each.deadline_us or 0, each.digest) for each in transfers}
    by_urgency = sorted(found, key=lambda each: urgency[each.asset or ""])
    moments = [each.ready_at_us or 0 for each in by_urgency]
    assert moments == sorted(moments)
    assert moments[-1] - AT_US == pytest.approx(sum(sizes) / rate * S, abs=len(sizes))


WANTED = {CLIP: RenditionState(source=CLIP, profile=HOUSE_PROFILE, state="wanted", digest=MADE)}


def by_line(in_s: float, **parts: object) -> Ready:
    """An entry whose rendition of 1000 bytes is on its way."""
    return row(entry(in_s), stock(renditions=WANTED, transfers=(down(MADE, 1000, AT_US),), **parts))


def test_what_is_ready_only_just_is_at_risk_while_there_is_time_to_act() -> None:
    """At ten bytes a second it takes a hundred seconds: fine an hour before, at risk when little may come between."""
    assert not by_line(3600).is_at_risk
    assert by_line(100 + 14 * 60).is_at_risk
    assert (by_line(90).state, by_line(90).is_at_risk) == ("late_by", False)


def test_what_the_worst_hour_of_the_line_would_make_late_is_at_risk() -> None:
    """The line was as slow as that before; the technician has to know in the afternoon, not at the start."""
    assert by_line(3600, worst_bytes_per_s=0.2).is_at_risk
    assert not by_line(3600, worst_bytes_per_s=1.0).is_at_risk
    assert not by_line(3600, worst_bytes_per_s=20.0).is_at_risk
    assert ", at risk" in describe(by_line(3600, worst_bytes_per_s=0.2)).en


def test_a_forecast_goes_by_the_timetable() -> None:
    """Two bytes a second until the office closes, then all there is: 100 of them, and the other 900 at ten."""
    allowed = ((AT_US, 2), (AT_US + 50 * S, 0))
    assert by_line(3600, allowed=allowed).ready_at_us == AT_US + (50 + 90) * S
    assert by_line(3600, allowed=((AT_US - S, 2), (AT_US, 0))).ready_at_us == AT_US + 100 * S


def test_what_waits_after_a_failure_does_not_hold_up_the_others() -> None:
    """One asset that the hub has not must not make the evening late, in the forecast as on the line."""
    other = digest("c")
    failed = down(other, 5000, AT_US - S, state="failed", not_before_us=AT_US + 300 * S)
    found = row(entry(3600), stock(renditions=WANTED, transfers=(failed, down(MADE, 1000, AT_US))))
    assert found.ready_at_us == AT_US + 100 * S


def test_red_cannot_air_and_says_why() -> None:
    """Whoever reads it knows what to send instead; that the file is on the disk helps nobody."""
    black = Finding("black_throughout", "red", Text("画面全黑", "its picture is black throughout"))
    here = msgspec.structs.replace(made("here")[CLIP], check=Check(findings=(black,)))
    found = row(entry(), stock(renditions={CLIP: here}))
    assert (found.state, found.reason, found.findings) == ("cannot", black.what, (black,))


def test_what_the_schedule_claims_is_told_with_what_was_found() -> None:
    """An entry of a minute on a clip of ten seconds is fifty seconds of filler: known the day before it airs."""
    here = msgspec.structs.replace(made("here")[CLIP], frames=250, check=Check(findings=(AMBER,)))
    claims = msgspec.structs.replace(entry(), duration_s=60.0)
    assert [each.code for each in row(claims, stock(renditions={CLIP: here})).findings] == [
        "out_beyond_asset",
        "black_middle",
    ]
    assert row(claims, stock(renditions={CLIP: here})).state == "ready"


def test_what_is_being_packaged_is_ready_when_the_packager_says() -> None:
    """It measures; the length of the programme is only what is promised before."""
    packaging = stock(holdings=held(CLIP, "here", 50.0), packaged_us={CLIP: AT_US + 7 * S})
    assert row(entry(), packaging).ready_at_us == AT_US + 7 * S
    late = stock(holdings=held(CLIP, "here", 50.0), packaged_us={CLIP: AT_US - 7 * S})
    assert row(entry(), late).state == "ready_by"


AMBER = Finding("black_middle", "amber", Text("黑场", "black"), 1.0, 4.0, 3.0, "s")
