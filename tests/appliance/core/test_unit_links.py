"""Units follow the release: what is new is begun, what is gone is taken away, what is the machine's own stays."""

from appliance.core.unit_links import Following, follow, is_unit, source

SHIPS = {
    "songshan-agent.service": "[Service]\n[Install]\n",
    "songshan-new.timer": "[Timer]\n[Install]\nWantedBy=timers.target\n",
    "songshan-new.service": "[Service]\n",
    "songshan-new@.service": "[Service]\n[Install]\n",
}


def test_what_is_new_is_linked_and_begun_where_it_says_when_it_is_wanted() -> None:
    """A timer is; what it starts is not, and of a template nobody knows for whom."""
    assert follow(SHIPS, {"songshan-agent.service"}, ()) == Following(
        new=("songshan-new.service", "songshan-new.timer", "songshan-new@.service"), start=("songshan-new.timer",)
    )


def test_what_the_release_does_not_have_goes() -> None:
    """Else the next boot looks for a file that is not there."""
    assert follow(SHIPS, {*SHIPS, "songshan-old.timer"}, ()) == Following(gone=("songshan-old.timer",))


def test_a_channels_own_unit_stays_with_its_template() -> None:
    """`systemctl enable songshan-playout@dengfeng-1` links the instance too: an upgrade that took it for a unit that is
    gone would stop the sender."""
    instance = {"songshan-new@dengfeng-1.service", "songshan-old@dengfeng-1.service"}
    assert follow(SHIPS, {*SHIPS, *instance}, ()).gone == ("songshan-old@dengfeng-1.service",)


def test_what_judges_a_release_is_not_taken_away_by_one_that_forgot_it() -> None:
    """It is the trusted release's, and so is the way back."""
    assert follow(SHIPS, {*SHIPS, "songshan-upgrade.service"}, ()) == Following()


def test_what_the_machine_has_of_its_own_under_that_name_stays() -> None:
    """An administrator's unit, or a mask."""
    assert follow(SHIPS, {"songshan-agent.service"}, set(SHIPS) - {"songshan-agent.service"}) == Following()


def test_a_machine_that_knows_none_of_our_units_is_left_alone() -> None:
    """A box in a home of its own, beside a machine's systemd."""
    assert follow(SHIPS, (), {"ssh.service"}) == Following()


def test_the_units_of_upgrades_lead_through_the_trusted_release() -> None:
    """A power cut in a trial must not have the newcomer's unit start what judges it."""
    folder = "share/songshan/systemd"
    assert source("/o", "songshan-upgrade.service") == f"/o/trusted/{folder}/songshan-upgrade.service"
    assert source("/o", "songshan-agent.service") == f"/o/current/{folder}/songshan-agent.service"


def test_not_every_file_beside_them_is_a_unit() -> None:
    """sysusers, tmpfiles, and what an editor left."""
    assert [is_unit(name) for name in ("a.service", "songshan.sysusers", ".a.service", "a.service~")] == [
        True, False, False, False,
    ]  # fmt: skip
