"""The hub's end of a control session as a process: carries a conversation over stdin and stdout.

Wakes when bytes come, when a journal grows, when there is a file to hash; and once a second to see whether the site is
still approved and this is still its newest session.
"""

import os
import select
import time
from typing import Final

from appliance.core.errors import Text
from appliance.durable import disk_errors
from provisioning.hub.conversation import Conversation
from provisioning.hub.folder import HubFolder
from provisioning.hub.presence import Presence, session_of
from provisioning.hub.watch import Watch

LOOK_EVERY_S: Final = 1.0
READ_BYTES: Final = 256 * 1024
OUTGOING_BYTES_MAX: Final = 16 * 1024 * 1024
"""What a box that does not read may pile up before it is let go."""
GIVE_BELOW_BYTES: Final = 64 * 1024
"""With more waiting to go out no asset is put behind it: what is written to a journal now would wait for that too."""
GREETING_TIMEOUT_S: Final = 30.0
STDIN: Final = 0
STDOUT: Final = 1

_REVOKED: Final = Text(
    "会话结束：已吊销、密钥期满、已被新会话取代，或嵩山云停止服务",
    "over: revoked, its keys ran out, followed by a newer session, or the hub ends",
)
_SILENT: Final = Text("对方没有问候", "no hello came")


def run(folder: HubFolder, site: str) -> int:
    """Speak with the box until one of the two ends it; 0 when it ended in order."""
    with disk_errors(folder.path), session_of(folder, site) as presence, Watch(folder.journals) as watch:
        return Control(Conversation(folder, site), presence, watch).run()


class Control:
    """One process."""

    def __init__(self, conversation: Conversation, presence: Presence, watch: Watch) -> None:
        self.conversation, self.presence, self.watch = conversation, presence, watch
        self.outgoing = bytearray()
        self.began_s = self.looked_s = self.news_s = time.monotonic()
        self.is_news = True
        """Somebody has spoken, or a journal has grown; else assets alone are given, a handful a turn."""

    def run(self) -> int:
        os.set_blocking(STDOUT, False)
        while True:
            if not self._read_and_write():
                return 0
            if self.conversation.is_over:
                return self._last_words(0)
            now_s = time.monotonic()
            if now_s - self.looked_s >= LOOK_EVERY_S:
                self.looked_s = now_s
                if not self._may_go_on(now_s):
                    return self._last_words(1)
            is_due = now_s - self.news_s >= LOOK_EVERY_S
            if is_due or self.is_news:
                self.news_s, self.is_news = now_s, False
                self.conversation.turn(may_give=self._has_room())
            else:
                self.conversation.turn(may_give=self._has_room(), may_be_news=False)

    def _read_and_write(self) -> bool:
        """Wait for something to do; False when the line is gone."""
        self.outgoing += self.conversation.data_to_send()
        wanted = [STDOUT] if self.outgoing else []
        awaited = [STDIN, self.watch.fileno()]
        timeout_s = 0 if self.conversation.has_work(may_give=self._has_room()) else LOOK_EVERY_S
        readable, writable, _ = select.select(awaited, wanted, [], timeout_s)
        if self.watch.fileno() in readable:
            self.watch.drain()
            self.is_news = True
        if writable and not self._write():
            return False
        if STDIN in readable:
            data = os.read(STDIN, READ_BYTES)
            if not data:
                return False
            self.conversation.receive(data)
            self.is_news = True
        return len(self.outgoing) <= OUTGOING_BYTES_MAX

    def _has_room(self) -> bool:
        return len(self.outgoing) < GIVE_BELOW_BYTES

    def _may_go_on(self, now_s: float) -> bool:
        if not self.presence.may_go_on():
            self.conversation.bye(_REVOKED)
            return False
        if not self.conversation.greeted and now_s - self.began_s > GREETING_TIMEOUT_S:
            self.conversation.bye(_SILENT)
            return False
        return True

    def _write(self) -> bool:
        try:
            sent = os.write(STDOUT, self.outgoing)
        except BlockingIOError:
            return True
        except BrokenPipeError:
            return False
        del self.outgoing[:sent]
        return True

    def _last_words(self, status: int) -> int:
        """Send what is left, as far as the box still reads."""
        self.outgoing += self.conversation.data_to_send()
        deadline_s = time.monotonic() + LOOK_EVERY_S
        while self.outgoing and time.monotonic() < deadline_s:
            if select.select([], [STDOUT], [], LOOK_EVERY_S)[1] and not self._write():
                break
        return status
