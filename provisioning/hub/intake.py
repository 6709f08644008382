"""What a site sent up: files are hashed before anything believes in them, submissions answered with a receipt."""

import fcntl
import hashlib
import os
import shutil
import signal
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import msgspec

from appliance.core import moment, records
from appliance.core.asset import Digest, hex_of, parse_digest
from appliance.core.errors import OperatorError, Text
from appliance.core.item import Item, SignOff, problems_of
from appliance.durable import sync_folder
from provisioning.hub import links, redactions
from provisioning.hub.catalogue import Catalogue
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals, Pen
from provisioning.hub.library import Library
from provisioning.hub.refusals import log_refusal
from provisioning.hub.room import COPYING

STEP_BYTES: Final = 8 * 1024 * 1024
"""Hashed between two looks at the session: about ten milliseconds."""
UPLOADS_KEPT_S: Final = 14 * 86_400

FileVerdict = Literal["taken", "missing", "corrupt", "refused"]


@dataclass(frozen=True)
class FileAnswer:
    digest: str
    verdict: FileVerdict
    reason: Text


_TAKEN: Final = Text("已收", "taken")
_MISSING: Final = Text("收件处没有此文件", "there is no such file in the incoming folder")
_CORRUPT: Final = Text("内容与指纹不符，已删除", "the content is not what its name says; deleted")
_NO_FILE: Final = Text("不是普通文件", "not a plain file")
_WRITTEN: Final = Text("还在写入", "it is still being written")


@dataclass
class Checking:
    """A delivered file being hashed, step by step, out of the site's reach.

    One that belongs to the site's own account is copied on the way: whoever owns a file can write it whenever he likes,
    through any name that leads to it, and what the site may read leads to it.
    """

    digest: Digest
    path: Path
    target: Path
    is_anothers: bool = False
    _hash: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    _offset: int = 0

    def step(self) -> FileAnswer | None:
        """Hash a little further; the answer when the end is reached."""
        with self.path.open("rb") as file:
            file.seek(self._offset)
            chunk = file.read(STEP_BYTES)
        if self.is_anothers:
            self._copy(chunk)
        if chunk:
            self._hash.update(chunk)
            self._offset += len(chunk)
            return None
        checked = self._copied if self.is_anothers else self.path
        if self._hash.hexdigest() != hex_of(self.digest):
            checked.unlink()
            self.path.unlink(missing_ok=True)
            return FileAnswer(self.digest, "corrupt", _CORRUPT)
        _sync_file(checked)
        checked.rename(self.target)
        sync_folder(self.target.parent)
        self.path.unlink(missing_ok=True)
        return FileAnswer(self.digest, "taken", _TAKEN)

    @property
    def _copied(self) -> Path:
        return self.target.with_name(f"{self.target.name}{COPYING}")

    def _copy(self, chunk: bytes) -> None:
        """Behind what was copied before; what a killed gate left is written over."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(self._copied, flags, 0o600), "wb") as copy:
            copy.truncate(self._offset)
            copy.seek(self._offset)
            copy.write(chunk)


@dataclass
class Intake:
    """One site's intake, for as long as its session lasts."""

    folder: HubFolder
    site: str
    journals: HubJournals
    catalogue: Catalogue = field(default_factory=Catalogue)

    def begin(self, named: str) -> Checking | FileAnswer:
        """Look at a file that the site says is complete: an answer at once, or the hashing to do first."""
        try:
            digest = parse_digest(named)
        except OperatorError as error:
            return FileAnswer(named[:100], "refused", error.problems[0])
        own = self.folder.site(self.site)
        name = hex_of(digest)
        arrived, checking, kept = own.incoming / name, own.uploaded / f"{name}.checking", own.uploaded / name
        library = Library(self.folder)
        if kept.is_file() or (library.may_read(self.site, digest) and library.use(digest)):
            arrived.unlink(missing_ok=True)
            return FileAnswer(digest, "taken", _TAKEN)
        problem = _problem(arrived)
        if problem is not None and not (problem is _MISSING and checking.is_file()):
            return FileAnswer(digest, "missing" if problem is _MISSING else "refused", problem)
        if problem is None:
            arrived.rename(checking)
        # Until it was moved the site's account could put a link in its place.
        if _problem(checking) is not None:
            return FileAnswer(digest, "refused", _NO_FILE)
        is_anothers = checking.stat().st_uid != os.geteuid()
        if not os.access(checking, os.R_OK) or (not is_anothers and is_open_for_writing(checking)):
            checking.rename(arrived)
            return FileAnswer(digest, "missing", _WRITTEN)
        return Checking(digest, checking, kept, is_anothers)

    def set_right(self) -> None:
        """Make up for links that the site missed, and let go of what it never claimed."""
        self._forget_old_uploads()
        self._look()
        links.set_right(Library(self.folder), self.catalogue, self.site, self.folder.now_us())

    def before_accepting(self, arrived: tuple["records.Body", ...]) -> None:
        """What must have happened once a record counts as received: what was taken can be read."""
        taken = [body.item for body in arrived if isinstance(body, records.Take)]
        if not taken:
            return
        self._look()
        for item in taken:
            offer = self.catalogue.live_offer(item)
            if offer is not None:
                Library(self.folder).let_read(self.site, offer.assets)

    def settle(self) -> int:
        """Answer every submission that can be answered now; how many were.

        A submission waits until all its files are in. The lock is held from looking to writing, so that two sessions of
        one site, or a crash between offer and receipt, make neither two offers nor two receipts.
        """
        waiting = self.waiting()
        if not waiting:
            return 0
        answered: list[records.Submission] = []
        with self.journals.writing(f"{self.site}/control", "all/content") as pen:
            for submission in self.waiting():
                self._look()
                refusal = self._refusal(submission)
                if refusal is None and self._missing(submission.item):
                    continue
                receipt = self._refuse(submission, refusal) if refusal else self._accept(pen, submission)
                pen.append(f"{self.site}/control", "receipt", submission.id, receipt)
                answered.append(submission)
            self._clear(answered)
        return len(answered)

    def waiting(self) -> list[records.Submission]:
        """Submissions without a receipt, the oldest first."""
        self._look()
        return self.catalogue.waiting(self.site)

    def look_again(self) -> None:
        """The streams are not what they were: read them from the beginning."""
        self.catalogue = Catalogue()

    def _look(self) -> None:
        redactions.apply(self.journals, self.catalogue.read(self.journals, (self.site,)))

    def _refusal(self, submission: records.Submission) -> Text | None:
        item = submission.item
        problems = problems_of(item)
        if problems:
            return problems[0]
        if item.origin != self.site:
            return Text("来源不是本中心", "its origin is another site")
        known = self.catalogue.offered.get(item.id)
        if item.id in self.catalogue.published or (known is not None and known.origin != self.site):
            return Text("稿件编号已被占用", "this item id is another's")
        if not self.catalogue.is_live(item) or any(asset.digest in self.catalogue.recalled for asset in item.assets):
            return Text("已被撤稿", "it was recalled")
        limit = self.folder.settings().upload_bytes_max
        if any(asset.size_bytes > limit for asset in item.assets):
            return Text(f"文件超过 {limit} 字节", f"a file of more than {limit} bytes")
        wrong = [asset for asset in item.assets if self._size_of(asset.digest) not in (None, asset.size_bytes)]
        return Text("文件大小与所报不符", "a file has another size than was said") if wrong else None

    def _size_of(self, digest: str) -> int | None:
        """Bytes of a file that has come up; None before that."""
        try:
            return (self.folder.site(self.site).uploaded / hex_of(digest)).stat().st_size
        except FileNotFoundError:
            return None

    def _missing(self, item: Item) -> bool:
        own, library = self.folder.site(self.site), Library(self.folder)
        return any(
            not (own.uploaded / hex_of(asset.digest)).is_file() and not library.may_read(self.site, asset.digest)
            for asset in item.assets
        )

    def _accept(self, pen: Pen, submission: records.Submission) -> records.Receipt:
        item, library = submission.item, Library(self.folder)
        for asset in item.assets:
            uploaded = self.folder.site(self.site).uploaded / hex_of(asset.digest)
            if uploaded.is_file():
                library.adopt(uploaded, asset.digest)
        library.let_read(self.site, item.assets)
        settings = self.folder.settings()
        if settings.offer_submissions and item.id not in self.catalogue.offered:
            sign_off = SignOff("final", settings.id, moment.to_text(self.folder.now_us()))
            pen.append("all/content", "offer", item.id, msgspec.structs.replace(item, sign_offs=(sign_off,)))
        return records.Receipt(submission.id, item.id, "accepted", Text("已收", "accepted"))

    def _refuse(self, submission: records.Submission, reason: Text) -> records.Receipt:
        log_refusal(self.folder, self.site, "submission", f"{submission.id} {submission.item.id}", reason)
        return records.Receipt(submission.id, submission.item.id, "refused", reason)

    def _clear(self, answered: list[records.Submission]) -> None:
        """Let go of the uploads of what was answered, unless another submission still waits with the same file."""
        needed = {asset.digest for submission in self.waiting() for asset in submission.item.assets}
        for submission in answered:
            for asset in submission.item.assets:
                if asset.digest not in needed:
                    (self.folder.site(self.site).uploaded / hex_of(asset.digest)).unlink(missing_ok=True)

    def _forget_old_uploads(self) -> None:
        """Files that nobody claimed in UPLOADS_KEPT_S, so that they cannot fill the site's allowance for ever."""
        own = self.folder.site(self.site)
        needed = {hex_of(asset.digest) for submission in self.waiting() for asset in submission.item.assets}
        oldest_s = self.folder.now_us() / moment.US - UPLOADS_KEPT_S
        for entry in (*own.incoming.iterdir(), *own.uploaded.iterdir()):
            if entry.name.partition(".")[0] not in needed and entry.lstat().st_ctime < oldest_s:
                remove_entry(entry)


def _problem(path: Path) -> Text | None:
    """Why this entry of the incoming folder is not to be looked into; a link would lead the hub elsewhere."""
    try:
        facts = path.lstat()
    except FileNotFoundError:
        return _MISSING
    if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1:
        remove_entry(path)
        return _NO_FILE
    return None


def sweep(folder: Path) -> None:
    """Take out whatever is no plain file, so that nothing is ever written through a link."""
    for entry in folder.iterdir():
        if not stat.S_ISREG(entry.lstat().st_mode):
            remove_entry(entry)


def remove_entry(path: Path) -> None:
    """Remove what a site put there, whatever it is; links are not followed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def is_open_for_writing(path: Path) -> bool:
    """Whether a process still could change the file: the kernel grants a read lease only when none can (fcntl(2))."""
    with path.open("rb") as file:
        # Whoever opens it while we hold the lease breaks it by a signal, which by default would end us.
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
        try:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except BlockingIOError:
            return True
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
