"""A bundle that the hub signed becomes a release that runs, with no network; any other leaves nothing behind."""

import base64
import hashlib
import io
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance import files, releases, staging
from appliance.config import Config
from appliance.core import records
from appliance.core.errors import Corrupt, Refused, SongshanError
from appliance.core.journal import append, genesis, public_key_text
from appliance.core.release import Upgrade
from appliance.core.rotation import rotated
from appliance.store.database import transaction, writing
from appliance.store.journals import append_record
from appliance.upgrading import one_at_a_time
from provisioning.command import songshan_hub
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals
from tests.appliance.boxes import HUB, box

NOW_US = 1_795_500_000_000_000
VERSION = "9.1.0"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> HubFolder:
    """A hub with its key, and a bundle of two wheels: pip's own, and a `songshan` of one line; a playbook beside."""
    root = tmp_path_factory.mktemp("hub")
    hub_runs(root, "init")
    wheels, playbooks = root / "parts/wheels", root / "parts/ansible/roles/box/tasks"
    wheels.mkdir(parents=True)
    playbooks.mkdir(parents=True)
    (playbooks / "main.yml").write_text("[]\n")
    bundled = resources.files("ensurepip") / "_bundled"
    pip = next(path for path in bundled.iterdir() if path.name.startswith("pip-"))
    (wheels / pip.name).write_bytes(pip.read_bytes())
    make_wheel(wheels, VERSION)
    hub_runs(root, "bundle", str(root / "parts"), "--out", str(root / "bundle"))
    return HubFolder(root)


def hub_runs(root: Path, *arguments: str) -> None:
    done = CliRunner().invoke(songshan_hub, ["--hub", str(root), *arguments])
    assert done.exit_code == 0, (done.output, done.exception)


def make_wheel(folder: Path, version: str) -> None:
    """What `pip wheel` would make of a program that says its version; of its libraries one asks for pip."""
    info = f"songshan_edge-{version}.dist-info"
    contents = {
        "songshan_small.py": f"def main():\n    print('songshan {version}')\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: songshan-edge\nVersion: {version}\nRequires-Dist: pip\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nsongshan = songshan_small:main\n",
    }
    lines = []
    with zipfile.ZipFile(folder / f"songshan_edge-{version}-py3-none-any.whl", "w") as wheel:
        for name, text in contents.items():
            wheel.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
            lines.append(f"{name},sha256={digest},{len(text)}\n")
        wheel.writestr(f"{info}/RECORD", "".join(lines) + f"{info}/RECORD,,\n")


@pytest.fixture
def config(tmp_path: Path, hub: HubFolder) -> Config:
    """A box of that hub."""
    config = box(tmp_path / "box", hub=replace(HUB, id="songshan", sign_key=HubJournals(hub).signs()))
    files.make_folders(config)
    return config


def stage(config: Config, path: Path) -> None:
    with one_at_a_time(config):
        staging.stage(config, path, "王工", NOW_US)


def test_a_release_is_installed_from_its_bundle_alone(config: Config, hub: HubFolder) -> None:
    """An environment of its own, that nobody had to be asked for."""
    stage(config, hub.path / "bundle")
    seen = releases.releases(config)
    assert (seen.upgrade.state, seen.upgrade.new, seen.can_apply) == ("staged", VERSION, True)
    assert [(each.version, each.signed_by) for each in seen.there] == [(VERSION, HubJournals(hub).signs())]
    said = subprocess.run([releases.program(config, VERSION)], capture_output=True, text=True, check=True, timeout=30)
    assert said.stdout == f"songshan {VERSION}\n"
    folder = releases.folder_of(config, VERSION)
    assert not (folder / "wheels").exists() and not (folder / "ansible").exists()
    assert (folder / "pyvenv.cfg").exists()


def without_signature(data: bytes) -> bytes:
    """The same wheels under a manifest that somebody else signed."""
    return rewritten(data, lambda name, body: bytes(64) if name == "bundle.sig" else body)


def with_another_wheel(data: bytes) -> bytes:
    return rewritten(data, lambda name, body: body[:-1] + b"x" if "songshan" in name else body)


def with_another_playbook(data: bytes) -> bytes:
    """Boxes do not unpack it; yet what is not whole is not the hub's."""
    return rewritten(data, lambda name, body: body[:-1] + b"x" if name.endswith(".yml") else body)


def with_a_way_out(data: bytes) -> bytes:
    return rewritten(data, lambda name, body: body, lambda name: name.replace("wheels/songshan", "../songshan"))


def cut_off(data: bytes) -> bytes:
    return data[: len(data) // 2]


def with_more(data: bytes) -> bytes:
    return rewritten(data, lambda name, body: body, more=("wheels/evil-1-py3-none-any.whl", b"x"))


def rewritten(
    data: bytes,
    body_of: Callable[[str, bytes], bytes],
    name_of: Callable[[str], str] = lambda name: name,
    more: tuple[str, bytes] | None = None,
) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as old, tarfile.open(fileobj=out, mode="w") as new:
        entries = [(each.name, (old.extractfile(each) or io.BytesIO()).read()) for each in old.getmembers()]
        for name, body in [*entries, *([more] if more else [])]:
            written = body_of(name, body)
            member = tarfile.TarInfo(name_of(name))
            member.size = len(written)
            new.addfile(member, io.BytesIO(written))
    return out.getvalue()


@pytest.mark.parametrize(
    ("spoil", "kind", "said"),
    [
        (without_signature, Refused, "not signed by the hub"),
        (with_another_wheel, Corrupt, "songshan_edge"),
        (with_another_playbook, Corrupt, "main.yml"),
        (with_a_way_out, Corrupt, "songshan_edge"),
        (cut_off, Corrupt, "bundle"),
        (with_more, Corrupt, "nobody signed"),
    ],
)
def test_what_the_hub_did_not_sign_leaves_nothing_behind(
    config: Config,
    hub: HubFolder,
    tmp_path: Path,
    spoil: Callable[[bytes], bytes],
    kind: type[SongshanError],
    said: str,
) -> None:
    """Not a file of it is run, and what was staged before stays staged."""
    config.releases.mkdir()
    releases.keep(config, Upgrade(state="staged", new="9.0.9"))
    path = tmp_path / "spoilt"
    path.write_bytes(spoil((hub.path / "bundle").read_bytes()))
    with pytest.raises(kind, match=said):
        stage(config, path)
    assert not list((config.releases / "releases").glob("*")) or not releases.releases(config).there
    assert releases.journal(config).new == "9.0.9"
    assert not list(tmp_path.rglob("songshan_edge*.whl"))


def test_a_bundle_is_judged_by_the_key_that_root_came_to_know_first(config: Config, hub: HubFolder) -> None:
    """Who has taken over the box's own user changes appliance.toml and the database; neither is proof."""
    config.releases.mkdir()
    assert staging.trusted_key(config) == HubJournals(hub).signs()
    thief = Ed25519PrivateKey.generate()
    assert config.hub is not None
    other = replace(config, hub=replace(config.hub, sign_key=public_key_text(thief.public_key())))
    assert staging.trusted_key(other) == HubJournals(hub).signs()


def test_the_key_follows_where_the_hub_has_changed_it_and_nowhere_else(config: Config, hub: HubFolder) -> None:
    """By the records that both keys signed, as the box's journal has them."""
    old, new, thief = HubJournals(hub).key, Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    proven = rotated("songshan", old, new, NOW_US)
    forged = msgspec.structs.replace(
        rotated("songshan", thief, thief, NOW_US), former=public_key_text(old.public_key())
    )
    with writing(config.database) as db, transaction(db):
        position = genesis("all/control")
        for body in (forged, proven):
            record = append(position, "rotate", "hub", records.encode(body), NOW_US)
            position = append_record(db, record)
        db.execute("UPDATE journal SET state = 'applied'")
    config.releases.mkdir()
    assert staging.trusted_key(config) == proven.sign_key
    assert (config.releases / staging.HUB_KEY).read_text().strip() == proven.sign_key


def test_a_box_without_a_hub_takes_no_bundle(tmp_path: Path, hub: HubFolder) -> None:
    """Nobody's signature counts there."""
    alone = box(tmp_path / "alone", hub=None)
    with pytest.raises(Refused, match="no hub"):
        stage(alone, hub.path / "bundle")


def test_what_is_in_use_is_not_written_over(config: Config, hub: HubFolder) -> None:
    """Neither what runs nor what a rollback goes back to."""
    for link in releases.LINKS:
        config.releases.mkdir(exist_ok=True)
        releases.point(config, link, VERSION)
        with pytest.raises(Refused, match="in use"):
            stage(config, hub.path / "bundle")
        releases.point(config, link, "")


def test_a_hub_makes_no_bundle_that_no_box_could_install(hub: HubFolder, tmp_path: Path) -> None:
    """All that is missing is said at once."""
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels/odd.whl").touch()
    done = CliRunner().invoke(
        songshan_hub, ["--hub", str(hub.path), "bundle", str(tmp_path), "--out", str(tmp_path / "b")]
    )
    assert isinstance(done.exception, SongshanError)
    assert len(done.exception.problems) == 3
    assert not (tmp_path / "b").exists()
