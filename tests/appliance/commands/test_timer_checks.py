"""What systemctl and nft say, read as a technician would."""

import pytest

from appliance.commands import timer_checks
from appliance.commands.check import Check
from appliance.core.moment import to_us
from appliance.core.timer_states import closes

NOW_US = to_us("2026-11-26T12:00:00Z")
SHOWN = """Id=songshan-backup.timer
LoadState=loaded
LastTriggerUSec=Thu 2026-11-26 02:41:07 UTC
NextElapseUSecRealtime=Fri 2026-11-27 02:30:00 UTC
Result=success

Id=apt-daily.timer
LoadState=loaded
LastTriggerUSec=n/a
NextElapseUSecRealtime=Fri 2026-11-27 01:00:00 UTC
Result=success

Id=apt-daily-upgrade.timer
LoadState=loaded
LastTriggerUSec=Tue 2026-11-10 03:00:00 UTC
NextElapseUSecRealtime=Fri 2026-11-27 03:00:00 UTC
Result=success

Id=songshan-backup.service
LoadState=loaded
Result=success
"""
OF_BACKUP = "Id=songshan-backup.service\nLoadState=loaded\nResult=success"
RULES = """table inet songshan {
	chain input {
		type filter hook input priority filter; policy drop;
		iif "lo" accept
	}
}
"""


def told(said: str | None) -> list[tuple[str, str]]:
    return [(each.state, each.found.en) for each in timer_checks.of_said(said, NOW_US)]


def test_each_timer_says_when_it_ran_and_when_it_will() -> None:
    """One that has not run for long is a note; one that is new has nothing to answer for."""
    assert told(SHOWN) == [
        ("good", "nightly backup: last 2026-11-26T02:41:07Z, next 2026-11-27T02:30:00Z"),
        ("good", "lists of updates: last never, next 2026-11-27T01:00:00Z"),
        (
            "warning",
            "security updates: last 2026-11-10T03:00:00Z, next 2026-11-27T03:00:00Z; it has not run for 16 d",
        ),
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            "Id=songshan-backup.service\nLoadState=loaded\nResult=success",
            "Id=songshan-backup.service\nResult=exit-code",
            "failed",
        ),
        ("NextElapseUSecRealtime=Fri 2026-11-27 02:30:00 UTC", "NextElapseUSecRealtime=n/a", "next -"),
        ("LastTriggerUSec=Thu 2026-11-26 02:41:07 UTC", "LastTriggerUSec=Mon 2026-11-23 02:41:07 UTC", "for 3 d"),
        ("NextElapseUSecRealtime=Fri 2026-11-27 02:30:00 UTC", "NextElapseUSecRealtime=星期五", "next -"),
    ],
)
def test_a_timer_that_does_not_do_its_work_is_told_with_where_to_look(before: str, after: str, expected: str) -> None:
    """The backup that is not made is missed on the day when it is needed."""
    assert before in SHOWN
    first = next(iter(timer_checks.of_said(SHOWN.replace(before, after), NOW_US)))
    assert (first.state, expected in first.found.en) == ("warning", True), first.found
    assert first.hint is not None and "journalctl -u songshan-backup.service" in first.hint.en


@pytest.mark.parametrize("said", [None, "", "Id=\n\nLoadState", "Id=apt-daily.timer\nLoadState=not-found"])
def test_what_cannot_be_asked_is_told_and_nothing_ends_by_it(said: str | None) -> None:
    """Without systemd; with one that answers nonsense; with a timer that is not there, which the units tell."""
    assert [state for state, _found in told(said)] == (["warning"] if said is None else [])


@pytest.mark.parametrize(
    ("rules", "is_ours", "state", "step"),
    [
        (RULES, True, "good", ""),
        (RULES.replace("policy drop", "policy accept"), True, "bad", "box.yml"),
        ("", True, "bad", "box.yml"),
        (None, True, "bad", "systemctl restart nftables"),
        (None, False, "warning", "box.yml"),
    ],
)
def test_a_firewall_that_keeps_nobody_out_is_told(rules: str | None, is_ours: bool, state: str, step: str) -> None:
    """All of the box works without one, so nobody else would say so."""
    (check,) = list[Check](timer_checks.of_rules(rules, is_ours=is_ours))
    assert (check.state, step in (check.hint.en if check.hint else "")) == (state, True)


def test_another_chains_policy_closes_nothing() -> None:
    """What is forwarded is not what comes in."""
    opened = RULES.replace("policy drop", "policy accept")
    assert not closes(
        opened.replace("}\n}", "}\n chain forward { type filter hook forward priority filter; policy drop; } }")
    )
    assert closes(RULES)
