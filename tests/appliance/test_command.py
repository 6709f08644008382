"""The command: its languages, its exit statuses, and that a broken part of it does not break the rest."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.command import language
from appliance.config import render
from tests.appliance.boxes import box

SONGSHAN = str(Path(sys.executable).with_name("songshan"))


def songshan(
    *arguments: str | bytes | Path, lang: str = "en", environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SONGSHAN, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "SONGSHAN_LANG": lang, **(environ or {})},
    )


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "zh"),
        ({"LANG": "C"}, "zh"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "en_GB.UTF-8"}, "en"),
        ({"LANG": "en_GB.UTF-8", "SONGSHAN_LANG": "zh"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "SONGSHAN_LANG": "en"}, "en"),
        ({"SONGSHAN_LANG": "fr"}, "zh"),
    ],
    ids=range(7),
)
def test_chinese_comes_first_and_english_when_asked_for(environ: dict[str, str], expected: str) -> None:
    """SONGSHAN_LANG says, else LANG."""
    kept = {name: value for name, value in os.environ.items() if name not in ("LANG", "SONGSHAN_LANG")}
    code = "from appliance.command import language; print(language())"
    said = subprocess.run(
        [sys.executable, "-c", code], env={**kept, **environ}, capture_output=True, text=True, timeout=30, check=True
    )
    assert said.stdout.strip() == expected
    assert language() in ("zh", "en")


def test_a_broken_config_is_told_line_by_line_with_status_2(tmp_path: Path) -> None:
    """Every problem on its own line, then what to do, and no traceback."""
    (tmp_path / "appliance.toml").write_text('site = "x"\ncolour = 1\n')
    done = songshan("--home", tmp_path, "orders")
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 4
    assert (lines[0], lines[-1]) == ("unknown option colour", f"correct {tmp_path}/appliance.toml")
    chinese = songshan("--home", tmp_path, "orders", lang="zh")
    assert chinese.stderr.splitlines()[0] == "不认识的选项 colour"


def test_no_config_needed_to_ask_for_help(tmp_path: Path) -> None:
    """The first thing that anybody types."""
    done = songshan("--home", tmp_path, "take", "--help")
    assert done.returncode == 0
    assert "songshan take" in done.stdout


def test_wrong_use_is_status_2(tmp_path: Path) -> None:
    """As with every program of this system."""
    assert songshan("--home", tmp_path, "fly").returncode == 2
    assert songshan("--home", tmp_path, "answer", "o1", "maybe").returncode == 2


def test_the_home_comes_from_the_environment_too(tmp_path: Path) -> None:
    """For services and for people who type all day."""
    (tmp_path / "appliance.toml").write_text(render(box(tmp_path)))
    done = songshan("status", environ={"SONGSHAN_HOME": str(tmp_path)})
    assert done.returncode == 0
    assert "dengfeng" in done.stdout


def test_a_terminal_that_cannot_show_chinese_gets_question_marks(tmp_path: Path) -> None:
    """An old console must not get a traceback instead of an alarm."""
    (tmp_path / "appliance.toml").write_text(render(box(tmp_path)))
    done = songshan("--home", tmp_path, "status", lang="zh", environ={"PYTHONIOENCODING": "latin-1"})
    assert done.returncode == 0
    assert "?" in done.stdout
