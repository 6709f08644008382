"""What can be done with the software: stage what was brought, switch over, go back with a reason. PURE."""

from typing import Final

from appliance.core.errors import Text
from appliance.core.release import UNDER_WAY
from tui.keys import say
from tui.look import Look
from tui.view.acts import Act, Case, Field, Weight
from tui.view.upgrade import BUNDLES, Found

OTHER: Final = "other"


def reasons(look: Look) -> tuple[tuple[str, str], ...]:
    """What a technician goes back for: chosen, so that nothing has to be typed."""
    return (
        ("playout", look.say("the picture or sound is wrong since")),
        ("page", look.say("pages or app are wrong since")),
        ("slow", look.say("the machine is slow since")),
        ("hub", look.say("the hub's operator asked for it")),
        (OTHER, look.say("something else, typed below")),
    )


def reasons_to_go_on(look: Look) -> tuple[tuple[str, str], ...]:
    """What a technician switches over for."""
    return (
        ("routine", look.say("routine upgrade")),
        ("hub", look.say("the hub's operator asked for it")),
        (OTHER, look.say("something else, typed below")),
    )


def reason_of(case: Case) -> str:
    """What stands in the trail: the words that were chosen, or typed."""
    chosen = dict((*reasons(case.look), *reasons_to_go_on(case.look))).get(case.value("why"), "")
    return case.value("words").strip() if case.value("why") == OTHER else chosen


def _fields(case: Case, choices: tuple[tuple[str, str], ...]) -> tuple[Field, ...]:
    fields = (Field("why", case.look.say("Why"), "choice", choices, choices[0][0], is_needed=True),)
    if case.value("why") != OTHER:
        return fields
    return (*fields, Field("words", case.look.say("In words"), "text", is_needed=True, chars_max=200))


def _cannot_roll_back(case: Case) -> Text | None:
    found = case.found
    if not isinstance(found, Found) or not found.is_installed:
        return Text(
            "本机不是按版本安装的，不能回退", "this box was not installed as releases: there is nothing to go back to"
        )
    seen = found.releases
    if seen.waiting:
        return Text("已有请求在等待处理", "something was asked for already, and waits")
    if seen.upgrade.state in UNDER_WAY:
        return Text(
            "升级正在进行，检验不过会自动回退", "an upgrade is under way: it goes back by itself if it is not well"
        )
    if not seen.can_roll_back:
        return Text("没有可回退的版本", "there is no release to go back to")
    return None


def _cannot_stage(case: Case) -> Text | None:
    found = case.found
    if not isinstance(found, Found) or not found.is_installed:
        return Text(
            "本机不是按版本安装的，请按运维手册手工升级", "this box was not installed as releases: upgrade it by hand"
        )
    if found.releases.waiting or found.releases.upgrade.state in UNDER_WAY:
        return Text("已有请求在等待或正在处理", "something waits or is under way already")
    return None


def _preview_stage(case: Case) -> tuple[str, ...]:
    look = case.look
    return (
        look.say("{path}: checked, and installed beside what runs.").format(path=look.data(case.row)),
        look.say("Nothing is switched by that: key a does, once it is staged."),
    )


def _cannot_apply(case: Case) -> Text | None:
    found = case.found
    if not isinstance(found, Found) or not found.releases.can_apply:
        return Text("没有就位的新版本", "no release is staged")
    if found.releases.waiting:
        return Text("已有请求在等待处理", "something was asked for already, and waits")
    return None


def _preview_roll_back(case: Case) -> tuple[str, ...]:
    assert isinstance(case.found, Found)
    look, seen = case.look, case.found.releases
    return (
        look.say("From {new} back to {old}.").format(new=look.data(seen.current), old=look.data(seen.previous)),
        look.say("Agent and web server start anew, in about a minute."),
        look.say(
            "Where the newer one changed the database, the copy from before comes back, and the hub gives the rest."
        ),
        look.say("The channels go on: senders and the air ledger are not touched."),
    )


def _preview_apply(case: Case) -> tuple[str, ...]:
    assert isinstance(case.found, Found)
    look, seen = case.look, case.found.releases
    return (
        look.say("From {old} to {new}.").format(old=look.data(seen.current), new=look.data(seen.upgrade.new)),
        look.say("The database is copied first; agent and web server start anew, in about a minute."),
        look.say("The channels go on: senders and the air ledger are not touched."),
        look.say("If one of the five signals is worse than before, the box goes back by itself."),
    )


ACTS: Final = (
    Act(
        "rollback",
        "b",
        say("Roll back"),
        Weight.BOX,
        fields=lambda case: _fields(case, reasons(case.look)),
        preview=_preview_roll_back,
        refusal=_cannot_roll_back,
        tabs=("",),
    ),
    Act(
        "apply",
        "a",
        say("Switch over"),
        Weight.BOX,
        fields=lambda case: _fields(case, reasons_to_go_on(case.look)),
        preview=_preview_apply,
        refusal=_cannot_apply,
        tabs=("",),
    ),
    Act(
        "stage",
        "s",
        say("Stage it"),
        Weight.BOX,
        preview=_preview_stage,
        refusal=_cannot_stage,
        needs_row=True,
        tabs=(BUNDLES,),
    ),
)
