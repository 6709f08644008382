"""A bundle on the machine that builds boxes: checked whole before it has its name, and read by Debian's own apt."""

import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from appliance.core import bundle as core
from appliance.core.bundle import File, Manifest
from appliance.core.errors import Corrupt, OperatorError, Refused, SongshanError
from provisioning.command import songshan_hub
from provisioning.hub.debian import control_of, write_index
from provisioning.release.apt import lacking
from provisioning.release.wanted import parse_lists

CONTROL = """Package: songshan-trial
Version: 1:2.0~rc1-3
Architecture: all
Maintainer: Nobody <nobody@example.invalid>
Section: misc
Priority: optional
Description: a package of the tests
 of two lines
"""


def hub_runs(root: Path, *arguments: str) -> SongshanError | None:
    done = CliRunner().invoke(songshan_hub, ["--hub", str(root), *arguments])
    assert done.exception is None or isinstance(done.exception, SongshanError), done.exception
    return done.exception


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub, and a bundle of all four folders."""
    root = tmp_path_factory.mktemp("hub")
    assert hub_runs(root, "init") is None
    parts = root / "parts"
    for path, text in {
        "wheels/pip-26.3-py3-none-any.whl": "pip",
        "wheels/songshan_edge-9.1.0-py3-none-any.whl": "ours",
        "controller/ansible_core-2.19.0-py3-none-any.whl": "core",
        "ansible/roles/box/tasks/main.yml": "[]",
        "ansible/.ansible-lint": "not carried",
    }.items():
        (parts / path).parent.mkdir(parents=True, exist_ok=True)
        (parts / path).write_text(text)
    make_deb(parts / "debs")
    assert hub_runs(root, "bundle", str(parts), "--out", str(root / "bundle"), "--suite", "bookworm") is None
    return root


def make_deb(into: Path) -> Path:
    tree = into.parent / "deb-tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(CONTROL)
    into.mkdir()
    made = into / "songshan-trial_1%3a2.0~rc1-3_all.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tree, made], check=True, capture_output=True)
    shutil.rmtree(tree)
    return made


def test_what_was_signed_is_unpacked_and_nothing_else(root: Path, tmp_path: Path) -> None:
    """Playbooks build boxes from this folder as root; asked again, nothing is done."""
    into = tmp_path / "open"
    assert hub_runs(root, "bundle-open", str(root / "bundle"), "--into", str(into)) is None
    found = {str(path.relative_to(into)): path.read_bytes() for path in into.rglob("*") if path.is_file()}
    manifest = core.parse(found.pop(core.MANIFEST))
    assert len(found.pop(core.SIGNATURE)) == 64
    assert found == {each.path: (root / "parts" / each.path).read_bytes() for each in manifest.files}
    assert "ansible/roles/box/tasks/main.yml" in found and "ansible/.ansible-lint" not in found
    before = into.stat().st_ino
    assert hub_runs(root, "bundle-open", str(root / "bundle"), "--into", str(into)) is None
    assert into.stat().st_ino == before
    assert isinstance(hub_runs(root, "bundle-open", str(root / "bundle"), "--into", str(root)), Refused)


def test_what_is_damaged_at_its_end_gets_no_name(root: Path, tmp_path: Path) -> None:
    """The packages come last and are most of it: a folder that is there is whole."""
    data = bytearray((root / "bundle").read_bytes())
    place = data.rindex(b"debian-binary")
    data[place + 200] ^= 1
    (tmp_path / "bad").write_bytes(data)
    raised = hub_runs(root, "bundle-open", str(tmp_path / "bad"), "--into", str(tmp_path / "open"))
    assert isinstance(raised, Corrupt)
    assert not (tmp_path / "open").exists()


def test_another_hubs_bundle_is_not_opened(root: Path, tmp_path: Path) -> None:
    """By the key that was named, or by this hub's own."""
    other = tmp_path / "other"
    assert hub_runs(other, "init") is None
    words = ("bundle-open", str(root / "bundle"), "--into", str(tmp_path / "o"), "--key")
    assert isinstance(hub_runs(other, *words[:-1]), Refused)
    assert isinstance(hub_runs(other, *words, str(other / "keys/sign.pub")), Refused)
    assert hub_runs(other, *words, str(root / "keys/sign.pub")) is None


def test_apt_takes_the_packages_out_of_the_folder(root: Path, tmp_path: Path) -> None:
    """The index is made without Debian's tools, so it is Debian's tool that must read it; no network, no signature."""
    for name in ("lists/partial", "archives/partial"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "status").touch()
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] file:{root}/parts/debs ./\n")
    options = {
        "Dir::Etc::sourcelist": f"{tmp_path}/sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": f"{tmp_path}/lists",
        "Dir::State::status": f"{tmp_path}/status",
        "Dir::Cache": f"{tmp_path}",
        "APT::Sandbox::User": "",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    subprocess.run(["apt-get", *words, "update"], check=True, capture_output=True, timeout=60)
    taken = subprocess.run(
        ["apt-get", *words, "download", "songshan-trial=1:2.0~rc1-3"],
        check=True, capture_output=True, timeout=60, cwd=tmp_path,
    )  # fmt: skip
    assert taken.returncode == 0
    (made,) = tmp_path.glob("*.deb")
    assert control_of(made) == CONTROL
    written = (root / "parts/debs/Packages").stat().st_mtime_ns
    assert write_index(root / "parts/debs") == 1
    assert (root / "parts/debs/Packages").stat().st_mtime_ns == written


def test_what_is_no_package_is_told_by_its_name(tmp_path: Path) -> None:
    """One that was cut off on its way must not make an index that apt stumbles over on a box."""
    (tmp_path / "cut.deb").write_bytes(b"!<arch>\ndebian-binary   1342943816  0     0     100644  4         `\n2.0\n")
    with pytest.raises(Corrupt, match=r"cut\.deb"):
        write_index(tmp_path)


@pytest.mark.parametrize(
    "path",
    [
        "wheels/../x-1-py3-none-any.whl", "ansible/../../etc/passwd", "ansible/.git/config", "ansible//x",
        "debs/a/b.deb", "etc/passwd", "/etc/passwd", "ansible/", "ansible/a\nb", "debs/Release",
        "ansible/" + "d/" * 12 + "f",
    ],
)  # fmt: skip
def test_a_name_leads_nowhere_but_into_its_folder(path: str) -> None:
    """Also one that the hub signed: a slip there must not write elsewhere here."""
    assert not core.is_path(path)
    manifest = Manifest(
        v=core.V, version="1", made_at="", python="3.11", arch="amd64",
        files=(File("wheels/pip-1-py3-none-any.whl", 1, "0" * 64), File(path[:200], 1, "0" * 64)),
    )  # fmt: skip
    with pytest.raises(Corrupt):
        core.parse(msgspec.json.encode(manifest))


def test_what_a_bare_debian_has_stays_out_unless_it_is_tied() -> None:
    """A box from an older point release has an older perl-base, and perl asks for the very same version."""
    bare = {"libc6": "2.36-9", "perl-base": "5.36.0-7", "libgcc-s1": "12.2.0-14", "tar": "1.34"}
    whole = {**bare, "ffmpeg": "5.1", "perl": "5.36.0-7", "zlib1g": "1.3"}
    stanzas = {
        "ffmpeg": {"Depends": "libc6 (>= 2.35), zlib1g (>= 1:1.2), perl"},
        "perl": {"Depends": "perl-base (= 5.36.0-7), libgcc-s1 (>= 12.2.0-14+deb12u1)"},
        "perl-base": {"Pre-Depends": "libc6 (>= 2.35)"},
    }
    expected = {"ffmpeg", "perl", "zlib1g", "perl-base", "libgcc-s1"}
    assert lacking(bare, whole, {name: stanzas.get(name, {}) for name in whole}) == expected


def test_the_list_of_packages_is_read_strictly() -> None:
    """A line that is passed over is a package that a county lacks."""
    text = '---\n# why\nsongshan_box_packages:\n  - ffmpeg  # sound\n  - "chrony"\nsongshan_hub_packages: []\n'
    assert parse_lists(text) == {"songshan_box_packages": ["ffmpeg", "chrony"], "songshan_hub_packages": []}
    for line in ("  - {name: x}", "  ffmpeg", "songshan_box_packages: [a]"):
        with pytest.raises(OperatorError, match="line 2"):
            parse_lists(f"a:\n{line}\n")
