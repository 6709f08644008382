"""What the parts of the program tell each other, named as facts."""

from textual.message import Message

from tui.view import Reading


class SnapshotChanged(Message):
    """A new reading of the box is there."""

    def __init__(self, reading: Reading) -> None:
        super().__init__()
        self.reading = reading

    def can_replace(self, message: Message) -> bool:
        """Only the newest reading counts: one that waits behind another has replaced it."""
        return isinstance(message, SnapshotChanged)
