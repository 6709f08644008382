"""The schedules of the demo."""

import json
from datetime import datetime

import pytest

from provisioning.demo import content

ASSETS = ["sha256:" + "0" * 64]
END_S = 86_400


@pytest.mark.parametrize("now", ["2026-11-26T09:09:00+00:00", "2026-11-26T15:50:59+00:00"])
def test_no_day_of_the_demo_is_too_full(now: str) -> None:
    """Else each newcomer's first screen shows an alarm about what the next day's hard start drops."""
    for document in content.schedule_documents("a-1", ASSETS, ["早间新闻"], datetime.fromisoformat(now)):
        hard = [entry["start"] for entry in json.loads(document)["entries"] if "start" in entry]
        hours, minutes, seconds = map(int, hard[-1].split(":"))
        assert hours * 3600 + minutes * 60 + seconds + content.BLOCK_S <= END_S


def test_a_demo_just_before_midnight_has_a_programme_today() -> None:
    """A schedule without entries would be refused, and with it the demo."""
    today, _tomorrow = content.schedule_documents(
        "a-1", ASSETS, ["早间新闻"], datetime.fromisoformat("2026-11-26T15:59:30+00:00")
    )
    assert len(json.loads(today)["entries"]) == content.PROGRAMMES_PER_BLOCK
