"""What is told and when, as a pure decision: scripted, and held against rules over any history."""

from collections.abc import Iterable

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.errors import Text
from appliance.core.moment import US
from provisioning.fleet.core.telling import Known, Message, Policy, Trouble, decide

START_US = 1_790_000_000 * US
POLICY = Policy()
SITES = ("dengfeng", "zhongmu")


def trouble(site: str = "dengfeng", identity: str = "clock", severity: str = "amber", words: str = "钟") -> Trouble:
    return Trouble(
        site=site,
        name=site,
        id=identity,
        severity=severity,  # type: ignore[arg-type]
        text=Text(words, words),
        hint=Text("", ""),
    )


class Story:
    """Looks at what is wrong, one after another; what was told."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.known, self.now_us, self.policy = Known(), START_US, policy
        self.told: list[Message] = []

    def look(self, *found: Trouble, after_s: float = 10, held: Iterable[tuple[str, str]] = ()) -> list[str]:
        """What one look leads to, as words `kind site:id`."""
        self.now_us += round(after_s * US)
        self.known, message = decide(self.known, found, SITES, self.now_us, self.policy, "hub", frozenset(held))
        if message is None:
            return []
        self.told.append(message)
        return [f"{line.kind} {line.site}:{line.id}" for line in message.lines]


def test_a_trouble_begins_stands_and_ends() -> None:
    """Told once, then again after a day, and once that it is over."""
    story = Story()
    assert story.look(trouble()) == []
    assert story.look(trouble(), after_s=60) == ["begins dengfeng:clock"]
    assert story.look(trouble(words="钟又差了")) == []
    assert story.look(trouble(), after_s=24 * 3600 - 20) == []
    assert story.look(trouble(), after_s=20) == ["reminder dengfeng:clock"]
    assert story.look() == []
    assert story.look(after_s=300) == ["ends dengfeng:clock"]
    [line] = story.told[-1].lines
    assert line.until_us is not None and line.until_us == story.now_us - 300 * US
    assert story.known.opens == ()


def test_red_is_told_at_once_and_again_after_four_hours() -> None:
    """Somebody has to act now, and the next shift too."""
    story = Story()
    assert story.look(trouble(severity="red")) == ["begins dengfeng:clock"]
    assert story.look(trouble(severity="red"), after_s=4 * 3600) == ["reminder dengfeng:clock"]


def test_what_turns_red_is_told_as_worse() -> None:
    """And what eases is not told, but counts anew once it has eased for a while."""
    story = Story()
    story.look(trouble())
    assert story.look(trouble(), after_s=60) == ["begins dengfeng:clock"]
    assert story.look(trouble(severity="red"), after_s=400) == ["worsens dengfeng:clock"]
    assert story.look(trouble()) == []
    assert story.look(trouble(severity="red"), after_s=100) == [], "it flaps"
    assert story.look(trouble()) == []
    assert story.look(trouble(), after_s=300) == []
    assert story.look(trouble(severity="red")) == ["worsens dengfeng:clock"]


def test_what_comes_and_goes_is_told_once() -> None:
    """A line that drops every two minutes is one trouble."""
    story = Story()
    told = [story.look(*([trouble(severity="red")] if number % 2 else []), after_s=120) for number in range(60)]
    assert [each for each in told if each] == [["begins dengfeng:clock"]]


def test_what_comes_and_goes_before_it_was_told_is_told_in_the_end() -> None:
    """Amber that is there half of the time must not hide behind the time it gets to settle."""
    story = Story()
    told = [story.look(*([trouble()] if number % 2 else []), after_s=30) for number in range(20)]
    assert [each for each in told if each] == [["begins dengfeng:clock"]]


def test_a_blink_is_not_told() -> None:
    """A web server that is restarted."""
    story = Story()
    assert story.look(trouble()) == []
    assert [story.look(after_s=100) for _look in range(5)] == [[]] * 5
    assert story.known.opens == ()


def test_a_flood_is_one_message_that_counts_the_rest() -> None:
    """Sixteen counties with four alarms each are no sixty-four mails."""
    story = Story()
    many = [trouble(site, f"output:{number:02}", "red") for site in SITES for number in range(16)]
    told = story.look(*many)
    assert len(told) == POLICY.lines_max
    assert (story.told[0].more, story.told[0].red) == (32 - POLICY.lines_max, 32)
    assert story.look(*many) == [], "what was only counted was told too: the page has it"


def test_messages_are_bounded_in_rate_and_nothing_is_lost_by_it() -> None:
    """One new trouble every ten seconds for an hour."""
    story = Story()
    found: list[Trouble] = []
    for number in range(360):
        found.append(trouble("zhongmu", f"clip:{number}", "red"))
        story.look(*found)
    assert len(story.told) <= POLICY.burst + 3600 / POLICY.every_s + 1
    story.look(*found, after_s=POLICY.every_s)
    told = sum(len(message.lines) + message.more for message in story.told)
    assert told == 360


def test_only_what_is_as_bad_as_the_config_says_is_told() -> None:
    """Nights with few people."""
    story = Story(Policy(severity_min="red"))
    assert story.look(trouble(), after_s=3600) == []
    assert story.look(trouble(severity="red")) == ["begins dengfeng:clock"]
    assert story.look(trouble()) == []
    assert story.look(trouble(), after_s=300) == ["ends dengfeng:clock"]
    assert story.look(trouble(identity="link", severity="info"), after_s=3600) == []


def test_what_is_hidden_neither_begins_nor_ends() -> None:
    """All counties away is the hub's line, and says nothing of one that was quiet before."""
    key = ("dengfeng", "hub:quiet")
    story = Story()
    story.look(trouble(identity="hub:quiet"))
    assert story.look(trouble(identity="hub:quiet"), after_s=60) == ["begins dengfeng:hub:quiet"]
    for _look in range(20):
        assert story.look(held=[key], after_s=100) == []
    assert story.look(trouble("zhongmu", "hub:quiet"), held=[("zhongmu", "hub:quiet"), key], after_s=3600) == []
    assert story.look() == []
    assert story.look(after_s=300) == ["ends dengfeng:hub:quiet"]


def test_a_county_that_there_is_no_more_is_forgotten_without_a_word() -> None:
    """Its alarms did not mend themselves."""
    story = Story()
    assert story.look(trouble("gone", severity="red")) == ["begins gone:clock"]
    assert story.look(after_s=1000) == []
    assert story.known.opens == ()


def test_a_clock_that_goes_back_silences_nothing() -> None:
    """A hub that was in 2037 for a minute."""
    story = Story()
    story.now_us += 10 * 365 * 86_400 * US
    assert story.look(trouble(severity="red")) == ["begins dengfeng:clock"]
    story.now_us = START_US
    assert story.look(trouble(severity="red"), trouble("zhongmu", severity="red"), after_s=POLICY.every_s) == [
        "begins zhongmu:clock"
    ]
    assert story.look(trouble(severity="red"), after_s=4 * 3600)[-1] == "reminder dengfeng:clock"


keys = st.tuples(st.sampled_from(SITES), st.sampled_from(["clock", "web", "hub:quiet"]))
found_sets = st.dictionaries(keys, st.sampled_from(["red", "amber", "info"]), max_size=6)
histories = st.lists(st.tuples(st.floats(1, 4000), found_sets), max_size=30)


@settings(max_examples=150)
@given(histories, st.integers(1, 4))
def test_over_any_history_beginnings_and_ends_alternate_and_the_rate_holds(
    looks: list[tuple[float, dict[tuple[str, str], str]]], lines_max: int
) -> None:
    """Nothing ends that did not begin, nothing begins twice, the bounds hold, and in the end all is told."""
    policy = Policy(lines_max=lines_max)
    story = Story(policy)
    standing: dict[tuple[str, str], str] = {}
    unseen = 0
    for after_s, found in [
        *looks,
        *((1000.0, looks[-1][1]) for _again in range(3) if looks),
        (1000.0, {}),
        (1000.0, {}),
    ]:
        before = len(story.told)
        story.look(
            *(trouble(site, identity, severity) for (site, identity), severity in found.items()), after_s=after_s
        )
        for message in story.told[before:]:
            assert 1 <= len(message.lines) <= lines_max
            unseen += message.more
            for line in message.lines:
                key = (line.site, line.id)
                if unseen == 0:
                    assert (line.kind == "begins") == (key not in standing), (line.kind, key)
                assert line.severity in ("red", "amber")
                if line.kind == "ends":
                    standing.pop(key, None)
                else:
                    standing[key] = line.severity
    spent_us = [message.at_us for message in story.told]
    for number in range(len(spent_us) - policy.burst):
        assert spent_us[number + policy.burst] - spent_us[number] >= policy.every_s * US
    assert story.known.opens == (), "all has been told, and is over"
    assert len({message.id for message in story.told}) == len(story.told)


@settings(max_examples=60)
@given(histories, st.data())
def test_a_watch_that_is_killed_between_looks_tells_the_same(
    looks: list[tuple[float, dict[tuple[str, str], str]]], data: st.DataObject
) -> None:
    """All that it goes by stands in what it keeps."""
    told = []
    for dies in (False, True):
        story = Story()
        for after_s, found in looks:
            story.look(*(trouble(site, identity, how) for (site, identity), how in found.items()), after_s=after_s)
            if dies and data.draw(st.booleans()):
                story.known = msgspec.json.decode(msgspec.json.encode(story.known), type=Known)
        told.append(story.told)
    assert told[0] == told[1]
