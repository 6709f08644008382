"""Who acts, and what became of what they did: the part of a session that can change the box.

Read-only until a person has said who they are; after ELEVATED_S it is read-only again. A command that was put is
followed until the agent is through with it, however long that takes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from appliance.core.command import Command
from appliance.core.errors import OperatorError, Text
from tui.form import Filled
from tui.look import Look
from tui.outcomes import Do, OpenDoor, Put
from tui.page import Page
from tui.rows import Level
from tui.view.acts import Act, Case, Field, Weight

ELEVATED_S: Final = 600.0
FOLLOWED_MAX: Final = 50
NAME: Final = "name"


@dataclass(frozen=True)
class Notice:
    """One line of what just happened."""

    text: str = ""
    level: Level = Level.NOTE


@dataclass(frozen=True)
class Undoing:
    """The last act that can be taken back."""

    act: Act
    case: Case


class Acting:
    """`account` is who the system says runs the program; `tick` is a clock in seconds that only goes forward."""

    def __init__(self, account: str, tick: Callable[[], float], at: Callable[[], str]) -> None:
        self._account = account
        self._tick = tick
        self._at = at
        self._by = ""
        self._until_s = 0.0
        self.followed: dict[str, str] = {}
        self.undoing: Undoing | None = None

    @property
    def by(self) -> str:
        """Who may change things now; "" while nobody may."""
        return self._by if self._tick() < self._until_s else ""

    @property
    def left_s(self) -> float:
        """For how long still."""
        return max(0.0, self._until_s - self._tick()) if self.by else 0.0

    def elevate(self, by: str) -> None:
        """This person may, from now on."""
        self._by, self._until_s = by, self._tick() + ELEVATED_S

    def step_down(self) -> None:
        """Nobody may any more."""
        self._until_s = 0.0

    def who(self) -> Act:
        """The form in which a person says who they are."""
        account = self._account

        def fields(case: Case) -> tuple[Field, ...]:
            return (Field(NAME, case.look.say("Your name"), "text", value=account, is_needed=True, chars_max=40),)

        def preview(case: Case) -> tuple[str, ...]:
            say = case.look.say
            return (
                say("For ten minutes you may change things."),
                say("Each change is on record under this name, with the account {account}.").format(account=account),
            )

        return Act("elevate", "e", "Who are you", Weight.LOOK, fields=fields, preview=preview, is_light=True)

    def named(self, filled: Filled, then: Act | None) -> OpenDoor:
        """The person of a filled form, with the account where that is called otherwise."""
        name = filled.case.value(NAME).strip()
        return OpenDoor(name if name == self._account else f"{name} ({self._account})", then)

    def through(self, filled: Filled, page: Page) -> Put | Do | str:
        """What a confirmed form asks for; a text where a field cannot be used."""
        act = filled.act
        case = replace(filled.case, by=self.by or self._account, at=self._at())
        if act.command is None:
            return Do(act, case, page.deeds[act.name])
        try:
            return Put(act, case, act.command(case))
        except OperatorError as error:
            return "; ".join(case.look.of(problem) for problem in error.problems)

    def was_put(self, put: Put, name: str, look: Look, *, agent_runs: bool) -> Notice:
        """A command lies in the spool under this name."""
        said = look.say(put.act.message)
        self.followed[name] = said
        for old in list(self.followed)[:-FOLLOWED_MAX]:
            del self.followed[old]
        self.undoing = Undoing(put.act, put.case) if put.act.undo is not None else None
        if agent_runs:
            return Notice(look.say("{act}: given to the agent").format(act=said))
        return Notice(look.say("{act}: kept; the agent does it when it is back").format(act=said))

    def came_of(self, outcomes: Mapping[str, Text | None], look: Look) -> Notice | None:
        """What became of commands that were followed; the newest of them."""
        found = None
        for name, reason in outcomes.items():
            said = self.followed.pop(name, None)
            if said is None:
                continue
            if reason is None:
                undo = " " + look.say("(u takes it back)") if self.undoing is not None else ""
                found = Notice(look.say("{act}: done").format(act=said) + undo, Level.GOOD)
            else:
                found = Notice(look.say("{act}: refused. {why}").format(act=said, why=look.of(reason)), Level.WARN)
        return found

    def undo(self) -> tuple[Act, Case] | None:
        """The form that takes the last act back."""
        last = self.undoing
        if last is None or last.act.undo is None:
            return None
        undo, message = last.act.undo, last.act.message

        def preview(case: Case) -> tuple[str, ...]:
            return (case.look.say("Takes back: {act}").format(act=case.look.say(message)),)

        def command(case: Case) -> Command:
            return undo(replace(last.case, by=case.by, at=case.at, reason=case.reason))

        return Act("undo", "u", "Take back", last.act.weight, command, preview=preview), last.case
