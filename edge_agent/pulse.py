"""Signs of life in one session: whether the hub still answers, and whether both sides have said all there is."""

from typing import Final

from appliance.core.errors import HubUnreachable, Text
from appliance.core.moment import US
from appliance.core.session import Session

PONG_TIMEOUT_US: Final = 45 * US
GREETING_TIMEOUT_US: Final = 30 * US
QUIET_ROUNDS: Final = 2
"""So many questions answered with nothing else said, and both sides have all there is."""


class Pulse:
    """Of a session that began at `now_us`."""

    def __init__(self, now_us: int) -> None:
        self._heard_us = now_us
        self._asked: tuple[int, int] | None = None
        self._questions = self._said = self._rounds = 0

    @property
    def is_quiet(self) -> bool:
        """Nothing more is to be expected of either side."""
        return self._rounds >= QUIET_ROUNDS

    def heard(self, now_us: int) -> None:
        """Bytes came."""
        self._heard_us = now_us

    def stir(self) -> None:
        """Something was said, on either side."""
        self._said += 1
        self._rounds = 0

    def ask(self, session: Session, now_us: int) -> None:
        """Ask for a sign of life; one question at a time."""
        if self._asked is None:
            self._questions += 1
            self._asked = (self._said, now_us)
            session.ping(self._questions)

    def answered(self, n: int, now_us: int) -> int | None:
        """How long the answer took; None where it answers nothing that waits."""
        if self._asked is None or n != self._questions:
            return None
        (said, asked_us), self._asked = self._asked, None
        self._rounds = self._rounds + 1 if said == self._said else 0
        return now_us - asked_us

    def check(self, now_us: int, *, is_greeted: bool) -> None:
        """HubUnreachable where nothing has come for too long."""
        waited_us = now_us - self._heard_us
        if not is_greeted and waited_us > GREETING_TIMEOUT_US:
            raise HubUnreachable(Text("嵩山云没有问候", "the hub does not greet"))
        if self._asked is not None and waited_us > PONG_TIMEOUT_US:
            raise HubUnreachable(Text("嵩山云没有回音", "the hub does not answer"))
