"""A person chooses between two machines of one site: each is told which it is, and a wrong choice is taken back."""

from pathlib import Path

import pytest

from appliance.core.errors import Refused
from appliance.core.machine import Machines, may_write
from provisioning.hub.folder import HubFolder, HubSettings, render_settings
from provisioning.hub.machines import choose, machines_of, note_locked, why_fenced

NEW, OLD = "a" * 64, "b" * 64


@pytest.fixture
def hub(tmp_path: Path) -> HubFolder:
    folder = HubFolder(tmp_path / "hub")
    folder.site("dengfeng").machines.parent.mkdir(parents=True)
    folder.settings_file.write_text(render_settings(HubSettings(id="songshan", host="h", port=22, user="u")))
    note_locked(folder, "dengfeng", lambda _known: Machines(current=OLD, former=(NEW,), fenced=(OLD, NEW)))
    return folder


def test_each_of_two_machines_is_told_which_it_is(hub: HubFolder) -> None:
    """Else the operator, who is told two fingerprints, can only guess which is the one that is to stay."""
    known = machines_of(hub, "dengfeng")
    for machine in (NEW, OLD):
        told = why_fenced(known, machine, "dengfeng")
        assert f"本机是 {machine[:12]}" in told.zh and f"this one is {machine[:12]}" in told.en


def test_who_chose_the_wrong_machine_names_the_other(hub: HubFolder) -> None:
    """Without that the box which stands there would read and never write again."""
    assert choose(hub, "dengfeng", OLD[:12]) == OLD
    assert not may_write(machines_of(hub, "dengfeng"), NEW)
    with pytest.raises(Refused, match="aaaaaaaaaaaa"):
        choose(hub, "dengfeng", "c")
    assert choose(hub, "dengfeng", NEW[:12]) == NEW
    assert may_write(machines_of(hub, "dengfeng"), NEW) and not may_write(machines_of(hub, "dengfeng"), OLD)


def test_nobody_chooses_between_two_by_naming_none(hub: HubFolder) -> None:
    """The one that is taken is the one that a person has named."""
    with pytest.raises(Refused):
        choose(hub, "dengfeng", None)
    assert machines_of(hub, "dengfeng").fenced == (OLD, NEW)
