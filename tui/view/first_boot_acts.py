"""What can be done at the first start: choose a bundle, test the line, and the one yes. PURE."""

from typing import Final

from appliance.core.errors import Text
from tui.keys import say
from tui.view.acts import Act, Case, Field, Weight
from tui.view.first_boot import BUNDLE, JOIN, LINE, Found, place_of


def _fields(case: Case) -> tuple[Field, ...]:
    """The bundle that was chosen stands first; there is nothing to type."""
    found = case.found if isinstance(case.found, Found) else Found()
    good = sorted((each for each in found.offers if each.problem is None), key=lambda each: each.path != found.chosen)
    choices = tuple((each.path, place_of(each, case.look)) for each in good)
    return (Field("bundle", case.look.say("Bundle"), "choice", choices, choices[0][0] if choices else ""),)


def _preview(case: Case) -> tuple[str, ...]:
    look = case.look
    found = case.found if isinstance(case.found, Found) else Found()
    offer = next((each for each in found.offers if each.path == case.value("bundle")), None)
    if offer is None:
        return ()
    return (
        look.say("This machine becomes the box of {site}.").format(site=place_of(offer, look)),
        look.say("It makes two keys, which never leave it, and shows them to {hub}.").format(hub=look.data(offer.hub)),
        look.say("The bundle is spent by that: it cannot be used for another machine."),
        look.say("The services are started, where this account may do that."),
    )


def _cannot_join(case: Case) -> Text | None:
    found = case.found if isinstance(case.found, Found) else Found()
    if found.joined is not None:
        return Text(f"本机已入网：{found.joined.site}", f"this box has joined already: {found.joined.site}")
    if found.offer is None and not any(each.problem is None for each in found.offers):
        return Text("没有加入包：请插入移动盘，见第 2 步", "there is no bundle: put the stick in, see step 2")
    return None


def _cannot_test(case: Case) -> Text | None:
    found = case.found if isinstance(case.found, Found) else Found()
    return None if found.offer is not None else Text("先选加入包，见第 2 步", "the bundle comes first: step 2")


def _cannot_choose(case: Case) -> Text | None:
    found = case.found if isinstance(case.found, Found) else Found()
    offer = next((each for each in found.offers if each.path == case.row), None)
    return offer.problem if offer is not None else None


ACTS: Final = (
    Act("choose", "c", say("Choose it"), Weight.LOOK, refusal=_cannot_choose, needs_row=True, tabs=(BUNDLE,)),
    Act("test", "t", say("Test the line"), Weight.LOOK, refusal=_cannot_test, tabs=(LINE,)),
    Act("join", "o", say("Join"), Weight.LOOK, fields=_fields, preview=_preview, refusal=_cannot_join, tabs=(JOIN,)),
)
