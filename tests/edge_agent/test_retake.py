"""What a restored box does again of what it had said, where a file of it is gone."""

from pathlib import Path

from appliance.core.errors import Text
from appliance.core.records import Receipt, Submission
from appliance.store import desk, work
from appliance.store.database import transaction
from edge_agent.retake import receive_receipt, retake
from tests.appliance.boxes import asset, item
from tests.edge_agent.rig import SITE, rig


def test_a_story_whose_file_the_backup_lacks_says_so_until_the_hub_has_answered(tmp_path: Path) -> None:
    """Nobody is to wait for a receipt that cannot come; and one that comes after all ends it."""
    with rig(tmp_path) as box:
        with transaction(box.db):
            retake(box.db, SITE, Submission("s1", item("s1", assets=(asset("a"),))), box.now_us)
        [waits] = desk.submissions(box.db)
        assert (waits.state, waits.reason is not None and "not on it" in waits.reason.en) == ("waiting", True)
        assert list(work.to_send(box.db)) == []
        with transaction(box.db):
            receive_receipt(box.db, Receipt("s1", "s1", "accepted", Text("已收", "accepted")), box.now_us)
        [answered] = desk.submissions(box.db)
        assert (answered.state, answered.reason) == ("accepted", None)
