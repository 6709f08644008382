"""What the page of the waiting commands reads: the spool itself, so that it is true also without agent and database."""

from appliance import spool
from appliance.config import Config
from appliance.core.command import about, kind_of
from appliance.core.errors import OperatorError, WorldError
from appliance.core.moment import to_us
from appliance.store.database import reason_of
from tui.gather.where import Where
from tui.view.given import Found, Waiting
from tui.view.sheet import PAGE_ROWS, Asked


def gather(where: Where, asked: Asked) -> Found:
    """Oldest first, as they will be done."""
    names = [name for name in spool.pending(where.box) if name > asked.after]
    return Found(tuple(_waiting(where.box, name) for name in names[:PAGE_ROWS]), len(names))


def _waiting(config: Config, name: str) -> Waiting:
    """One of them; what is no command will be refused by the agent with the same words."""
    at_us = int(name.partition("-")[0])
    try:
        command, _attachments = spool.read(config, name)
    except (OperatorError, WorldError) as error:
        return Waiting(name, "?", "?", at_us, "", "", reason_of(error))
    return Waiting(name, kind_of(command), command.by, to_us(command.at), about(command), command.reason)
