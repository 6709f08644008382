"""What could be found out about the box at one moment, also when that is little. PURE."""

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.core.errors import Text
from appliance.core.health import Snapshot


@dataclass(frozen=True)
class Trouble:
    """Something that could not be read, and what to do about that."""

    text: Text
    hint: Text | None = None


@dataclass(frozen=True)
class Reading:
    """What every page knows of the box. `snapshot` is None where not even its configuration can be read.

    `problems` and `hint` say what kept the rest away. `waiting` counts the commands in the spool that are not done yet.
    """

    at_us: int
    snapshot: Snapshot | None = None
    problems: tuple[Text, ...] = ()
    hint: Text | None = None

    @property
    def agent_runs(self) -> bool:
        return self.snapshot is not None and self.snapshot.agent.state == "running"

    @property
    def is_unread(self) -> bool:
        """Whether the database could not be read: what stands in it is not known, and empty is not nothing."""
        return self.snapshot is None or any(alarm.id == "database" for alarm in self.snapshot.alarms)

    @property
    def waiting(self) -> int:
        return self.snapshot.sync.spool_waiting if self.snapshot is not None else 0


def troubles_of(problems: Sequence[Text], hint: Text | None) -> tuple[Trouble, ...]:
    """The problems of an error; what to do stands under the last of them."""
    last = len(problems) - 1
    return tuple(Trouble(problem, hint if number == last else None) for number, problem in enumerate(problems))
