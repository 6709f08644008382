"""The page of the logs: by part, by level, by words; from files where there is no systemd; and where there is none."""

from pathlib import Path

import msgspec
import pytest

from appliance.core.errors import Text
from appliance.core.log_line import LogLine
from tests.tui.boxes import make_box
from tests.tui.looks import Before, seen, with_faults
from tests.tui.readings import AGENT_DEAD, MIN_US, NOW_US
from tui.gather import logs
from tui.gather.where import where
from tui.view.logs import WARNINGS, Found
from tui.view.reading import Trouble
from tui.view.sheet import PAGE_ROWS, Asked


def line(number: int, text: str, level: str = "info", unit: str = "agent") -> LogLine:
    at_us = NOW_US - number * MIN_US
    return LogLine(key=f"s={number}", unit=unit, level=level, text=text, at_us=at_us)  # type: ignore[arg-type]


LINES = (
    line(1, "fetched level=info digest=sha256:9f86d081884c7d65 bytes=1240000000 seconds=1033"),
    line(2, "fetch_failed level=warning digest=sha256:9f86d081884c7d65 attempt=3 retry_after_s=120", "warning"),
    line(3, "[2026-11-24 14:00:00 +0800] [7] [ERROR] Worker (pid:41) was sent SIGKILL! 内存不足?", "error", "web"),
    line(4, "sending level=info channel=dengfeng-1 to=239.1.1.1:5000", unit="playout@dengfeng-1"),
)
FOUND = Found("journal", LINES)
NOT_ALLOWED = Trouble(
    Text("journalctl：无权限", "journalctl: permission denied"),
    Text("本账号可能无权读日志", "this account may not read the journal"),
)
STATES = {
    **with_faults(FOUND, FOUND),
    "warnings": seen(Found("journal", LINES[1:3]), asked=Asked(tab=WARNINGS)),
    "files": seen(Found("files", tuple(msgspec.structs.replace(each, at_us=None) for each in LINES))),
    "nothing found": seen(Found("files"), asked=Asked(words="nginx")),
    "no log": seen(Found()),
    "not allowed": seen(None, AGENT_DEAD, NOT_ALLOWED),
    "a line opened": seen(FOUND, asked=Asked(opened="s=3")),
    "gone since": seen(FOUND, asked=Asked(opened="s=99")),
}


def test_the_page_looks_as_it_did(as_before: Before) -> None:
    """Every state in both languages, both sizes and both sets of glyphs."""
    as_before("logs", STATES)


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A box without systemd, beside whose folder a trial keeps the logs of all."""
    monkeypatch.setattr("appliance.machine_log.SYSTEMD", tmp_path / "none")
    home = tmp_path / "dengfeng"
    home.mkdir()
    make_box(home)
    return home


def asked(home: Path, **what: str) -> Found:
    return logs.gather(where(home, {}), Asked(**what))


def test_without_systemd_the_files_of_the_folder_are_read_and_those_beside_it_of_this_site(box: Path) -> None:
    """A demo keeps them so; another site's are not ours."""
    assert asked(box) == Found()
    folder = box.parent / "logs"
    folder.mkdir()
    (folder / "dengfeng-agent.log").write_text("started level=info\nfetch_failed level=warning\n")
    (folder / "dengfeng-web.log").write_text("[ERROR] 出错\n")
    (folder / "xinmi-agent.log").write_text("theirs level=error\n")
    assert {each.text for each in asked(box).lines} == {
        "started level=info",
        "fetch_failed level=warning",
        "[ERROR] 出错",
    }
    assert [each.text for each in asked(box, tab="agent").lines] == ["fetch_failed level=warning", "started level=info"]
    warned = {each.text for each in asked(box, tab=WARNINGS).lines}
    assert warned == {"fetch_failed level=warning", "[ERROR] 出错"}
    assert [each.unit for each in asked(box, words="出错").lines] == ["web"]


def test_the_files_are_read_page_by_page(box: Path) -> None:
    """Every line once."""
    (box / "logs").mkdir()
    (box / "logs" / "agent.log").write_text("".join(f"n{number} level=info\n" for number in range(PAGE_ROWS + 20)))
    first = asked(box)
    second = asked(box, after=first.next)
    assert (len(first.lines), len(second.lines), second.next) == (PAGE_ROWS, 20, "")
    assert second.lines[-1].text == "n0 level=info"
