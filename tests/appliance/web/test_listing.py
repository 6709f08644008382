"""What a query string may ask for, and where the next page is."""

import pytest

from appliance.web.listing import Asked, read_asked
from appliance.web.problems import Wrong


@pytest.mark.parametrize("value", ["-1", "0", "x", "", "1.5", "1e3", " 1", "１", "999999999999", "10001", "0x1", "--1"])
@pytest.mark.parametrize("name", ["page", "per_page"])
def test_a_page_that_is_no_page_is_refused_by_name(name: str, value: str) -> None:
    """A silent first page hides the mistake of whoever wrote the link."""
    with pytest.raises(Wrong) as refused:
        read_asked({name: value})
    assert refused.value.code == 400
    assert name in refused.value.problems[0].en


def test_all_that_is_wrong_is_said_at_once() -> None:
    """One mistake a try is a tedious way to learn an API."""
    with pytest.raises(Wrong) as refused:
        read_asked({"page": "-1", "per_page": "1000", "section": "sport", "q": "x" * 101})
    assert len(refused.value.problems) == 4


def test_the_next_page_keeps_what_was_asked() -> None:
    """A reader who turns the page stays in the same list."""
    asked = read_asked({"page": "2", "section": "news", "q": "嵩 山", "per_page": "5"})
    assert asked == Asked(2, 5, "news", "嵩 山")
    assert asked.offset == 5
    assert asked.address("/x", 3) == "/x?section=news&q=%E5%B5%A9+%E5%B1%B1&page=3&per_page=5"
    assert Asked().address("/x", 1) == "/x"
