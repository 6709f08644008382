"""What the plan may ask for: frozen values with imperative names. How each is done is in `edge_agent/execute.py`."""

import msgspec


class Step(msgspec.Struct, frozen=True):
    """One thing to do now. Doing it twice is as good as doing it once."""


class Withdraw(Step, frozen=True):
    """Take an asset's public link away."""

    digest: str


class Serve(Step, frozen=True):
    """Put the public links of assets there."""

    digests: tuple[str, ...]


class Compile(Step, frozen=True):
    """Bring every channel's air ledger in line with what is known now."""


class LogAired(Step, frozen=True):
    """Write the as-run rows of what has ended."""


class Arrange(Step, frozen=True):
    """Bring the library's names for people in line with what the coming days play."""


class Connect(Step, frozen=True):
    """Begin to reach the hub."""


class RenewKeys(Step, frozen=True):
    """Change the keys of this box, at the hub and here."""


class TakeCommand(Step, frozen=True):
    """Carry out a command of the spool."""

    name: str


class TakeDrop(Step, frozen=True):
    """Make a submission of a file in the drop folder. `key` names the entry as it is now."""

    key: str


class TellOfDrops(Step, frozen=True):
    """Say in the drop folder what was not taken, and why."""


class TellOfRoom(Step, frozen=True):
    """Say that there is no room for what should come, by so many bytes; or that there is again: 0."""

    short_bytes: int


class TellOfMedia(Step, frozen=True):
    """Say that the disk of the assets is not mounted."""


class TakeStock(Step, frozen=True):
    """Hold the database against what lies on the disk of the assets."""


class Adopt(Step, frozen=True):
    """Check a staged file and make it an asset."""

    digest: str


class AdoptAll(Step, frozen=True):
    """Check many small staged files together and make them assets."""

    digests: tuple[str, ...]


class Base(Step, frozen=True):
    """Prepare the transfer of an asset as a difference to a file that is here, `base`."""

    digest: str
    base: str


class Fetch(Step, frozen=True):
    """Let rsync bring assets from the hub, as far as they are not staged yet; at most so fast where not 0.

    `is_difference`: the one asset is compared with its basis.
    """

    digests: tuple[str, ...]
    bytes_per_s: int = 0
    is_difference: bool = False


class AskFor(Step, frozen=True):
    """Have the hub hand over small assets in the session."""

    digests: tuple[str, ...]
    sizes_bytes: tuple[int, ...]
    behind: tuple[tuple[str, int], ...] = ()
    """Then these, digest and size, as others come: with no more than"""
    bytes_max: int = 0
    """on their way at once."""


class Carry(Step, frozen=True):
    """Copy assets from the stick that is being imported to where they are staged."""

    digests: tuple[str, ...]


class Upload(Step, frozen=True):
    """Let rsync bring assets to the hub, as far as they are not there yet; at most so fast where not 0."""

    digests: tuple[str, ...]
    bytes_per_s: int = 0


class Share(Step, frozen=True):
    """Open a connection to the hub that the transfers which follow share: each of their own takes many round trips."""


class Deliver(Step, frozen=True):
    """Tell the hub that an upload is complete."""

    digest: str


class Stop(Step, frozen=True):
    """End a running transfer; it goes on later from where it was."""

    digests: tuple[str, ...]


class Package(Step, frozen=True):
    """Bring an asset to house format."""

    source: str


class Follow(Step, frozen=True):
    """Follow the source of a live entry until a moment."""

    key: str
    url: str
    until_us: int


class Ask(Step, frozen=True):
    """Ask a live source whether it answers."""

    url: str


class Remove(Step, frozen=True):
    """Let go of an asset that was recalled, or that must make room."""

    digest: str


class Discard(Step, frozen=True):
    """Let go of what is staged and no longer wanted."""

    digest: str


class DropQuarantined(Step, frozen=True):
    """Let go of bytes that were set aside, by the name that they have there."""

    name: str


class Verify(Step, frozen=True):
    """Read an asset again, at most so fast where not 0, and compare it with its digest."""

    digest: str
    bytes_per_s: int = 0


class Report(Step, frozen=True):
    """Note how the box is, and tell the hub."""
