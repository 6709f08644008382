"""What the parts of the program tell each other, named as facts."""

from textual.message import Message

from tui.seen import Seen


class SeenAnew(Message):
    """A new look at the box is there, for the page called `page`."""

    def __init__(self, page: str, seen: Seen) -> None:
        super().__init__()
        self.page = page
        self.seen = seen

    def can_replace(self, message: Message) -> bool:
        """Only the newest look counts: one that waits behind another has replaced it."""
        return isinstance(message, SeenAnew)
