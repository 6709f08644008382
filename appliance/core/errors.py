"""Everything that can go wrong and is not a bug, told apart by who must act.

A bug is an assert or a crash: systemd restarts, the trace is in the journal. The rest is one of these:

    SongshanError
      OperatorError       a person gave something that cannot be used: fix it and call again      exit 2
      Refused             the answer is no, and nothing was changed                               exit 1
      WorldError          disk, network or a program failed; `retryable` says whether it may pass  exit 1
        DiskFull          nothing could be written, and nothing half is left                      exit 1
        Held              another program holds the database; passes when it lets go              exit 1
        Corrupt           bytes on disk are not what they are called; they are in quarantine      exit 1
        HubUnreachable    the hub cannot be reached                                               exit 3
        LockedOut         the hub does not accept this site's key                                 exit 4
          KeyRanOut       it is known, and its time is over: it may be changed, and nothing else  exit 5

Texts that travel with data (refusals, reasons, alarms) are pairs, Chinese and English, so that they can be stored, sent
and shown in either language wherever they end up.
"""

import msgspec


class Text(msgspec.Struct, frozen=True):
    """One thing to say, in both languages."""

    zh: str
    en: str

    def in_language(self, language: str) -> str:
        """The English for "en", else the Chinese, which comes first everywhere."""
        return self.en if language == "en" else self.zh


class SongshanError(Exception):
    """`problems` says what is wrong, all of it at once; `hint` says what to do next."""

    exit_status = 1

    def __init__(self, *problems: Text, hint: Text | None = None) -> None:
        assert problems, "an error says what is wrong"
        super().__init__("; ".join(problem.en for problem in problems))
        self.problems = problems
        self.hint = hint


class OperatorError(SongshanError):
    """Wrong use or wrong configuration."""

    exit_status = 2


class Refused(SongshanError):
    """The answer is no; nothing was changed."""


class MissingParent(Refused):
    """What this is about has not come yet; `needs` is what has to come first, as in `item:i-2026-0031`."""

    def __init__(self, needs: str, *problems: Text) -> None:
        super().__init__(*problems)
        self.needs = needs


class WorldError(SongshanError):
    """Disk, network or a program outside failed."""

    def __init__(self, *problems: Text, hint: Text | None = None, retryable: bool = True) -> None:
        super().__init__(*problems, hint=hint)
        self.retryable = retryable


class DiskFull(WorldError):
    """No room, or no quota, for what had to be written; whatever was begun has been taken away again."""


class Held(WorldError):
    """Another program holds the database, and has for as long as one waits for that."""


class Corrupt(WorldError):
    """Bytes that are not what their digest says. They have been set aside; the asset must be fetched again."""


class Unreadable(Corrupt):
    """Bytes that the disk does not give back."""


class HubUnreachable(WorldError):
    """No session with the hub could be opened."""

    exit_status = 3


class LockedOut(WorldError):
    """The hub was reached and does not accept this site's key, or shows a host key other than the pinned one."""

    exit_status = 4


class KeyRanOut(LockedOut):
    """The time of this site's key is over. The hub lets it be changed, and lets the site do nothing else before."""

    exit_status = 5
