"""What a site's key may ask for, as text in and decision out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.hub.admission import ControlSession, Denied, Download, Join, Upload, admit, admit_claim

NAME = "0123456789abcdef" * 4
OTHER = "f" * 64


def test_the_session_is_let_in() -> None:
    """The one word that the box's control connection sends."""
    assert admit("session") == ControlSession()


@pytest.mark.parametrize(
    ("command", "names"),
    [
        (f"rsync --server --sender -te.LsfxCIvu --inplace --timeout=20 . {NAME}", (NAME,)),
        (f"rsync --server --sender -vte.iLsfxCIvu --partial --bwlimit=500 . {NAME} {OTHER}", (NAME, OTHER)),
        (f"rsync --server --sender -e.LsfxCIvu . {NAME}", (NAME,)),
    ],
)
def test_named_assets_may_be_fetched(command: str, names: tuple[str, ...]) -> None:
    """These are what rsync 3.2.7 and 3.5.0 send for the box's downloads."""
    assert admit(command) == Download(names)


@pytest.mark.parametrize(
    "command",
    [
        "rsync --server -te.LsfxCIvu --inplace --partial --timeout=20 . .",
        f"rsync --server -tze.LsfxCIvu --inplace --append --append . {NAME}",
        "rsync --server -e.LsfxCIvu --log-format=%i . .",
    ],
)
def test_uploads_go_into_the_incoming_folder(command: str) -> None:
    """With resuming, which is what --inplace and --partial are for."""
    assert admit(command) == Upload()


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd", "../zhongmu/readable/" + NAME, "../../keys/sign", "..", ".", "", "*", NAME[:-1], NAME.upper(),
        f"{NAME}/", f"./{NAME}", f"{NAME}/../x", f"{NAME}\n", f"{NAME}\\ x", f"{{{NAME},x}}", "[0-9]" + NAME[1:],
    ],
)  # fmt: skip
def test_nothing_but_a_digest_is_fetched(path: str) -> None:
    """A path, a pattern or a folder would let a site look around."""
    assert isinstance(admit(f"rsync --server --sender -te.LsfxCIvu . {path}"), Denied)


@pytest.mark.parametrize(
    "path", ["/tmp/x", "..", "../x", "a/b", "sub/.", NAME + "x", f". {NAME}", f"{NAME} {OTHER}", ""]
)
def test_nothing_is_written_but_by_digest_into_incoming(path: str) -> None:
    """A name with a path in it would leave the folder."""
    assert isinstance(admit(f"rsync --server -te.LsfxCIvu . {path}"), Denied)


@pytest.mark.parametrize(
    "option",
    [
        "-r", "-a", "-l", "-L", "-K", "-k", "-H", "-D", "-R", "-d", "-b", "-y", "-A", "-X", "-o", "-g", "-re.LsfxC",
        "--delete", "--delete-before", "--remove-source-files", "--devices", "--specials", "--copy-devices",
        "--write-devices", "--links", "--copy-links", "--copy-unsafe-links", "--files-from=/etc/passwd", "--from0",
        "--log-file=/tmp/x", "--temp-dir=/tmp", "--partial-dir=/tmp", "--backup-dir=/tmp", "--link-dest=/etc",
        "--compare-dest=/etc", "--copy-dest=/etc", "--backup", "--suffix=x", "--mkpath", "--super", "--fake-super",
        "--daemon", "--config=x", "--rsync-path=sh", "--only-write-batch=x", "--max-delete=1", "--usermap=*:root",
        "--chmod=4777", "--iconv=.", "--no-such-option", "--inplace=1", "--timeout=1;sh", "--sender", "--dirs",
        "--munge-links", "--recursive", "--existing", "--delay-updates", "-", "--",
    ],
)  # fmt: skip
def test_options_that_do_more_than_move_one_file_are_refused(option: str) -> None:
    """Links, devices, folders, deletion and second paths are what rsync's holes were made of."""
    assert isinstance(admit(f"rsync --server -te.LsfxCIvu {option} . ."), Denied)
    assert isinstance(admit(f"rsync --server --sender -te.LsfxCIvu {option} . {NAME}"), Denied)


@pytest.mark.parametrize(
    "command",
    [
        None, "", "sh", "session ", " session", "session; sh", "session\nsh", "cat /etc/passwd", "rsync",
        "rsync --server", "rsync --daemon .", "rsync --server --sender", f"rsync --sender --server . {NAME}",
        "scp -f x", "sftp-server", "join", "gate dengfeng", f"rsync  --server . {NAME}",
        "rsync --server -te.LsfxCIvu " + "--stats " * 10_000 + ". .",
        "rsync --server --sender -te.LsfxCIvu . " + f"{NAME} " * 900 + NAME,
    ],
)  # fmt: skip
def test_everything_else_is_refused(command: str | None) -> None:
    """There is no shell, and nothing that looks almost like what is offered."""
    assert isinstance(admit(command), Denied)


@given(st.text(max_size=200))
def test_whatever_is_let_in_is_one_of_the_three(command: str) -> None:
    """No text makes the gate fail: it is judged, or refused."""
    assert isinstance(admit(command), ControlSession | Download | Upload | Denied)
    assert isinstance(admit(f"rsync --server {command}"), Download | Upload | Denied)


@given(st.lists(st.text(alphabet="./\\ ~*abcdef0{}$`;\n\0-", max_size=70), max_size=4))
def test_a_download_names_digests_whatever_was_tried(paths: list[str]) -> None:
    """The names that reach rsync have no character that a shell, a glob or a path would read."""
    admission = admit("rsync --server --sender -e.LsfxC . " + " ".join(paths))
    if isinstance(admission, Download):
        assert all(len(name) == 64 and set(name) <= set("0123456789abcdef") for name in admission.names)


@pytest.mark.parametrize("command", [None, "", "session", "sh", "join x", f"rsync --server --sender -e.L . {NAME}"])
def test_a_claim_is_for_joining_only(command: str | None) -> None:
    """The key in a bundle travels through many hands."""
    assert isinstance(admit_claim(command), Denied)
    assert admit_claim("join") == Join()
