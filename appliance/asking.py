"""What this box's own web server gives to whoever asks: that it lives, and each channel's newest segment.

Asked over the loopback address, as a player would; a page that says 200 and a list that leads nowhere are told apart.
"""

import http.client
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Final
from urllib.parse import urljoin

from appliance.config import Config
from appliance.core.gate import Answers

TIMEOUT_S: Final = 3.0
ANSWER_BYTES_MAX: Final = 256 * 1024


def answers(config: Config) -> Answers:
    """Never raises for what the world did: who does not answer is not there."""
    status, _said = _ask(config, "GET", "/healthz")
    return Answers(healthz=status, served=tuple(_served(config)) if status == 200 else ())


def _served(config: Config) -> Iterator[str]:
    for channel in config.channels:
        path = f"/live/{channel.id}/index.m3u8"
        status, said = _ask(config, "GET", path)
        lines = said.decode(errors="replace").splitlines() if status == 200 else []
        segments = [line for line in lines if line and not line.startswith("#")]
        if segments and _ask(config, "HEAD", urljoin(path, segments[-1]))[0] == 200:
            yield channel.id


def _ask(config: Config, method: str, path: str) -> tuple[int | None, bytes]:
    """The status, None for no answer, and what was said."""
    host, _colon, port = config.web_bind.rpartition(":")
    with (
        suppress(OSError, http.client.HTTPException),
        closing(http.client.HTTPConnection(host.strip("[]"), int(port), timeout=TIMEOUT_S)) as line,
    ):
        line.request(method, path)
        answer = line.getresponse()
        return answer.status, answer.read(ANSWER_BYTES_MAX)
    return None, b""
