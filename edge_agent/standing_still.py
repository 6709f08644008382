"""A box that was shut out (吊销): its agent stands still until a newer list says otherwise.

No line, no sticks, no spool, nothing new is committed to the air. What was committed is on the disk and airs to its
end, at most a day and some hours: whoever has the box can add nothing to it, and a county that was shut out by mistake
has that long to be let in again. docs/adr/0039.
"""

import os
import time
from collections.abc import Callable
from typing import Final

import structlog

from appliance import shut_out
from appliance.config import Config
from appliance.core.errors import LockedOut
from appliance.heeding import settle
from appliance.notify import Life, tell

LOOK_EVERY_S: Final = 5.0

log = structlog.get_logger()


def stand_still(config: Config, is_told_to_end: Callable[[], bool], *, once: bool) -> None:
    """Return when the box may work. LockedOut at once where it may not and the agent was to run once."""
    settle(config)
    if not shut_out.is_shut_out(config):
        return
    log.error("shut_out", reason=shut_out.WORDS.en)
    if once:
        raise LockedOut(shut_out.WORDS, hint=shut_out.HINT, retryable=False)
    life = Life(os.environ)
    tell("READY=1")
    while shut_out.is_shut_out(config) and not is_told_to_end():
        life.goes_on()
        time.sleep(LOOK_EVERY_S)
    log.info("let_in_again")
