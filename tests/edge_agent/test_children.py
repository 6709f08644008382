"""Processes of the agent: bounded, told apart, and never left behind."""

import os
import select
import time

import psutil
import pytest

from edge_agent.children import OUTPUT_BYTES_MAX, Children, Ended
from edge_agent.core.observation import Child

ENVIRON = dict(os.environ)
TIMEOUT_S = 20.0


@pytest.fixture
def children() -> Children:
    return Children()


def child(subject: str) -> Child:
    return Child("verify", (subject,))


def awaited(children: Children, count: int = 1) -> list[Ended]:
    ended: list[Ended] = []
    deadline = time.monotonic() + TIMEOUT_S
    while len(ended) < count:
        assert time.monotonic() < deadline
        select.select(children.filenos(), [], [], 1)
        ended += children.look()
    return ended


def test_each_tells_how_it_ended_and_what_it_said(children: Children) -> None:
    """What a child finds out is worth nothing if it is taken for another's."""
    children.start(child("good"), ("sh", "-c", "echo fine"), 10, ENVIRON)
    children.start(child("bad"), ("sh", "-c", "echo oh >&2; exit 3"), 10, ENVIRON)
    children.start(child("missing"), ("no-such-program",), 10, ENVIRON)
    ended = {each.child.subjects[0]: each for each in awaited(children, 3)}
    assert (ended["good"].status, ended["good"].said) == (0, b"fine\n")
    assert (ended["bad"].status, ended["bad"].complained) == (3, "oh\n")
    assert ended["missing"].status == 127
    assert (children.running(), children.filenos()) == ((), [])


def test_what_it_is_told_stands_in_no_list_of_processes_and_its_complaints_in_no_log(children: Children) -> None:
    """An address may hold a password, and a program may repeat it when it fails."""
    children.start(
        child("told"), ("sh", "-c", "read it; echo $it; echo $it >&2; exit 1"), 10, ENVIRON, b"http://me:pw@a/x\n"
    )
    ended = awaited(children)[0]
    assert (ended.said, ended.complained) == (b"http://me:pw@a/x\n", "http://…@a/x\n")


def test_one_that_does_not_end_is_killed(children: Children) -> None:
    """Every process has a bound: one that hangs must not hold its place for ever."""
    children.start(child("hangs"), ("sleep", "1000"), 0.3, ENVIRON)
    assert awaited(children)[0].status == -9


def test_one_that_says_too_much_keeps_going_and_its_end_is_kept(children: Children) -> None:
    """A program that fills its pipe stops; and the answer is the last line."""
    much = f"yes | head -c {OUTPUT_BYTES_MAX + 100_000}; echo the end"
    children.start(child("talks"), ("sh", "-c", much), 60, ENVIRON)
    ended = awaited(children)[0]
    assert len(ended.said) == OUTPUT_BYTES_MAX
    assert ended.said.endswith(b"the end\n")


def test_one_that_is_told_to_stop_says_that_it_was_told(children: Children) -> None:
    """To give way is not to fail."""
    children.start(child("one"), ("sleep", "1000"), 60, ENVIRON)
    children.start(child("two"), ("sleep", "1000"), 60, ENVIRON)
    children.stop(("one",))
    ended = awaited(children)
    assert [(each.child.subjects, each.was_stopped) for each in ended] == [(("one",), True)]
    assert children.running() == (child("two"),)
    children.stop_all()


def test_all_end_with_the_agent_also_those_that_do_not_want_to(children: Children) -> None:
    """A service that is stopped must be stopped: what runs on would write into the next one's files."""
    before = set(psutil.Process().children(recursive=True))
    children.start(child("stubborn"), ("sh", "-c", "trap '' TERM; sleep 1000 & wait; sleep 1000"), 60, ENVIRON)
    children.start(child("polite"), ("sleep", "1000"), 60, ENVIRON)
    children.stop_all()
    assert children.running() == ()
    left = {process for process in psutil.Process().children(recursive=True) if process not in before}
    assert left == set()


def test_one_that_has_closed_its_output_does_not_keep_the_loop_awake(children: Children) -> None:
    """A pipe at its end is readable for ever: selected on, it would turn the loop at full speed."""
    children.start(child("silent"), ("sh", "-c", "exec >&- 2>&-; sleep 1000"), 60, ENVIRON)
    deadline = time.monotonic() + TIMEOUT_S
    while select.select(children.filenos(), [], [], 0.3)[0]:
        assert time.monotonic() < deadline
        assert children.look() == []
    children.stop_all()
