"""For all tests of the screens."""

import pytest

from tests.tui.looks import FOLDER, Before, faults_of, written


@pytest.fixture
def as_before(request: pytest.FixtureRequest) -> Before:
    """Compares all drawings of a page with those kept; with --drawn-update keeps them."""

    def compare(page, states) -> None:  # type: ignore[no-untyped-def]
        path = FOLDER / f"{page}.txt"
        text = written(page, states)
        if request.config.getoption("drawn_update"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert faults_of(page, states) == []
        assert path.exists(), "look at it once and keep it: --drawn-update"
        assert text.splitlines() == path.read_text().splitlines()

    return compare
