"""Whose turn it is: against the best order there is, earliest deadline first, simulated to the byte."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.observation import Child, Link, Observation, Policy, Space, Wanted
from edge_agent.core.plan import plan
from edge_agent.core.steps import Adopt, AdoptAll, Fetch, Share, Stop

RATE = 1_000_000
"""Bytes a second that the simulated line carries, whoever shares it."""
S = 1_000_000
POLICY = Policy()
LEEWAY_US = 2 * POLICY.batch_bytes_max * S // RATE
"""So much may be done out of order: two batches. Deadlines are half an hour before what needs them."""
NEVER_US = 2**60


@dataclass
class Job:
    """An asset that is known of from a moment on."""

    digest: str
    size_bytes: int
    known_us: int
    due_us: int
    came_bytes: float = 0.0
    done_us: float | None = None


@dataclass
class Line:
    """Carries what the plan lets run, each its share."""

    jobs: list[Job]
    now_us: float = 0.0
    running: list[tuple[str, ...]] = field(default_factory=list)
    stops: int = 0

    def job(self, digest: str) -> Job:
        return next(job for job in self.jobs if job.digest == digest)

    def observe(self) -> Observation:
        known = [job for job in self.jobs if job.known_us <= self.now_us and job.done_us is None]
        return Observation(
            now_us=round(self.now_us),
            space=Space(10**15, 0),
            link=Link("connected"),
            children=tuple(Child("fetch", each, self.job(each[0]).due_us) for each in self.running),
            wanted=tuple(
                Wanted(job.digest, job.size_bytes, int(job.came_bytes) if job.came_bytes else -1, job.due_us)
                for job in known
            ),
            rate_bytes_per_s=RATE,
            compiled_us=NEVER_US,
            aired_us=NEVER_US,
            arranged_us=NEVER_US,
            reported_us=NEVER_US,
        )

    def take_in(self, digests: tuple[str, ...]) -> None:
        """A transfer has ended: what came whole is here."""
        for job in map(self.job, digests):
            if job.came_bytes == job.size_bytes:
                job.done_us = self.now_us

    def decide(self) -> None:
        for step in plan(self.observe(), POLICY):
            match step:
                case Stop(("hub",)) | Share() | Adopt() | AdoptAll():
                    pass
                case Stop(digests):
                    self.running.remove(digests)
                    self.stops += 1
                    self.take_in(digests)
                case Fetch(digests):
                    self.running.append(digests)
                case _:
                    raise AssertionError(step)
        assert len(self.running) <= POLICY.fetches_max

    def carry(self) -> None:
        """Until a transfer ends, something becomes known, or a second has passed."""
        self.decide()
        heads = [
            next(job for job in map(self.job, digests) if job.came_bytes < job.size_bytes) for digests in self.running
        ]
        coming = [job.known_us for job in self.jobs if job.known_us > self.now_us]
        if not heads:
            assert coming, "nothing runs while something waits"
            self.now_us = min(coming)
            return
        share = RATE / len(heads) / S
        ends = [self.now_us + (job.size_bytes - job.came_bytes) / share for job in heads]
        until_us = min(*ends, *coming, self.now_us + S)
        for job, end_us in zip(heads, ends, strict=True):
            job.came_bytes = min(job.size_bytes, job.came_bytes + (until_us - self.now_us) * share)
            if end_us <= until_us:
                job.came_bytes = job.size_bytes
        self.now_us = until_us
        for digests in list(self.running):
            if all(job.came_bytes == job.size_bytes for job in map(self.job, digests)):
                self.running.remove(digests)
                self.take_in(digests)

    def run(self) -> None:
        for _event in range(100_000):
            if all(job.done_us is not None for job in self.jobs):
                return
            self.carry()
        raise AssertionError("it never ends")


def best(jobs: list[Job]) -> dict[str, float]:
    """When each job is done with the earliest deadline always alone on the line."""
    left = {job.digest: float(job.size_bytes) for job in jobs}
    done: dict[str, float] = {}
    now_us = 0.0
    while left:
        known = [job for job in jobs if job.digest in left and job.known_us <= now_us]
        coming = [job.known_us for job in jobs if job.known_us > now_us]
        if not known:
            now_us = min(coming)
            continue
        first = min(known, key=lambda job: (job.due_us, job.size_bytes))
        end_us = now_us + left[first.digest] * S / RATE
        until_us = min([end_us, *coming])
        left[first.digest] -= (until_us - now_us) * RATE / S
        now_us = until_us
        if until_us == end_us:
            del left[first.digest]
            done[first.digest] = now_us
    return done


@st.composite
def loads(draw: st.DrawFn) -> list[Job]:
    """Up to twelve assets, large and small, with deadlines from hopeless to far off."""
    jobs = []
    for number in range(draw(st.integers(1, 12))):
        size_bytes = draw(st.integers(1, 60) | st.integers(33, 900)) * 1_000_000
        known_us = draw(st.integers(0, 600)) * S
        slack = draw(st.floats(0.9, 12.0))
        jobs.append(Job(f"sha256:{number:064x}", size_bytes, known_us, known_us + round(size_bytes / RATE * slack * S)))
    return jobs


@settings(max_examples=60, deadline=None)
@given(jobs=loads())
def test_no_deadline_that_can_be_kept_is_missed_because_of_the_order(jobs: list[Job]) -> None:
    """When the best order keeps all of them so do we, but for two batches; when it cannot, all come in the end."""
    optimal = best(jobs)
    line = Line(jobs)
    line.run()
    if all(optimal[job.digest] <= job.due_us for job in jobs):
        assert [job for job in jobs if (job.done_us or 0) > job.due_us + LEEWAY_US] == []
    assert max(job.done_us or 0 for job in jobs) <= max(optimal.values()) + S, "the line was idle"
    assert line.stops <= len(jobs) * POLICY.fetches_max, "what gives way must not begin and end for ever"


def test_one_that_has_room_lets_another_run_beside_it() -> None:
    """Two small films published together: while the one begins the other carries."""
    jobs = [Job(f"sha256:{n:064x}", 20_000_000, 0, 3600 * S) for n in range(3)]
    line = Line(jobs)
    line.decide()
    assert len(line.running) == 2


def test_one_that_is_pressed_has_the_line_alone() -> None:
    """The news at seven and a film of next week: half the line for each would be a filler at seven."""
    news, film = (
        Job("sha256:" + "0" * 64, 60_000_000, 10 * S, 71 * S),
        Job("sha256:" + "1" * 64, 900_000_000, 0, 9999 * S),
    )
    line = Line([news, film])
    line.run()
    assert 70 * S <= (news.done_us or 0) <= news.due_us
    assert line.stops == 1


FIRST, SECOND = "sha256:" + "0" * 64, "sha256:" + "1" * 64


def at_work(*running: tuple[str, ...], rate: float = RATE, **left: tuple[int, int]) -> Observation:
    """What is `left` of the first and the second, in bytes, and by when in seconds; which of them travel already."""
    due = {FIRST: left["first"], SECOND: left["second"]}
    return Observation(
        now_us=0,
        space=Space(10**15, 0),
        link=Link("connected"),
        children=tuple(Child("fetch", each, min(due[digest][1] for digest in each) * S) for each in running),
        wanted=tuple(Wanted(digest, size_bytes, -1, due_s * S) for digest, (size_bytes, due_s) in due.items()),
        compiled_us=NEVER_US,
        aired_us=NEVER_US,
        reported_us=NEVER_US,
        rate_bytes_per_s=rate,
    )


def test_a_large_one_gives_way_at_once_also_where_both_would_be_in_time() -> None:
    """What else may be made known is not: a film that holds the line for an hour must not meet it."""
    seen = at_work((SECOND,), first=(60_000_000, 3000), second=(900_000_000, 99_999))
    assert plan(seen, POLICY) == (Stop((SECOND,)), Fetch((FIRST,)))


def test_a_small_one_gives_way_where_to_wait_for_its_end_would_be_too_late() -> None:
    """And only there: with a minute more it may end first."""
    seen = at_work((SECOND,), first=(30_000_000, 50), second=(30_000_000, 9999))
    assert plan(seen, POLICY) == (Stop((SECOND,)), Fetch((FIRST,)))
    assert plan(at_work((SECOND,), first=(30_000_000, 110), second=(30_000_000, 9999)), POLICY) == ()


def test_nothing_begins_beside_a_large_one_that_is_due_before() -> None:
    """Half the line for hours is not half an hour of margin."""
    assert plan(at_work((FIRST,), first=(900_000_000, 99_999), second=(20_000_000, 199_999)), POLICY) == ()


def test_what_travels_with_the_first_leaves_it_when_the_line_becomes_slower() -> None:
    """It is here when all of its batch is: so the batch ends, and begins again without the rest."""
    left = {"first": (30_000_000, 100), "second": (30_000_000, 9999)}
    assert plan(at_work((FIRST, SECOND), **left), POLICY) == ()
    assert plan(at_work((FIRST, SECOND), rate=RATE / 2, **left), POLICY) == (Stop((FIRST, SECOND)),)


def test_what_would_make_the_first_late_does_not_travel_with_it() -> None:
    """A batch of two is quick for both, where both have time."""
    assert plan(at_work(first=(10_000_000, 30), second=(10_000_000, 9999)), POLICY) == (Fetch((FIRST,)),)
    assert plan(at_work(first=(10_000_000, 300), second=(10_000_000, 9999)), POLICY) == (Fetch((FIRST, SECOND)),)


def test_a_line_that_becomes_slower_takes_the_company_away() -> None:
    """What ran beside the news harmlessly at noon gives way when the line falls to a third."""
    left = {"first": (30_000_000, 100), "second": (90_000_000, 9999)}
    assert plan(at_work((FIRST,), (SECOND,), **left), POLICY) == ()
    assert plan(at_work((FIRST,), (SECOND,), rate=RATE / 3, **left), POLICY) == (Stop((SECOND,)),)
