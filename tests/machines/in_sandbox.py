"""Runs inside the sandbox of a unit, as its user, with nothing but the standard library and psutil: what works there.

Prints one JSON object: for each thing that was tried "ok", or how it failed. A program that was killed says so; a
sandbox is to say no, and never to kill (SystemCallErrorNumber=EPERM).
"""

import ctypes
import json
import mmap
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

PROGRAM_S_MAX = 120
TONE = ("-f", "lavfi", "-i", "sine=frequency=440:duration=1:sample_rate=48000")
PICTURE = ("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=1")
BOUNDS = ("prlimit", "--as=2147483648", "--core=0", "setpriv", "--pdeathsig", "KILL", "--")
CLONE_NEWUSER = 0x10000000
MS_BIND = 4096

libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    materials = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as made:
        print(json.dumps({name: told(act, materials, Path(made)) for name, act in ACTS.items()}))


def told(act: Callable[[Path, Path], None], materials: Path, folder: Path) -> str:
    try:
        act(materials, folder)
    except subprocess.CalledProcessError as error:
        how = f"killed by {-error.returncode}" if error.returncode < 0 else f"status {error.returncode}"
        return f"{how}: {' '.join(error.stderr.decode(errors='replace').split())[-200:]}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]
    return "ok"


def program(*argv: str) -> bytes:
    done = subprocess.run(argv, capture_output=True, timeout=PROGRAM_S_MAX, check=True, stdin=subprocess.DEVNULL)
    return done.stdout


def rsync(_materials: Path, folder: Path) -> None:
    """A tree with what is in trees: a file of some size, a mode, a link, a second run that moves nothing."""
    source = folder / "source"
    source.mkdir()
    (source / "asset").write_bytes(os.urandom(300_000))
    (source / "asset").chmod(0o640)
    os.symlink("asset", source / "link")
    for _run in range(2):
        program("rsync", "-a", "--inplace", f"{source}/", f"{folder}/copy")
    assert (folder / "copy/asset").read_bytes() == (source / "asset").read_bytes()
    assert os.readlink(folder / "copy/link") == "asset"


def ssh_argv(materials: Path, folder: Path) -> list[str]:
    """ssh wants its key to be its user's alone."""
    key = folder / "key"
    if not key.exists():
        shutil.copyfile(materials / "key", key)
        key.chmod(0o600)
    known = f"UserKnownHostsFile={materials / 'known_hosts'}"
    return [
        *("ssh", "-F", "none", "-i", str(key), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", known),
        *("-o", "ConnectTimeout=20", "-o", "IdentitiesOnly=yes"),
    ]


def ssh(materials: Path, folder: Path) -> None:
    assert program(*ssh_argv(materials, folder), "root@127.0.0.1", "echo", "reached").strip() == b"reached"


def rsync_over_ssh(materials: Path, folder: Path) -> None:
    """As the bulk of assets comes and goes."""
    source = folder / "uploaded"
    source.write_bytes(b"over the line")
    there = "/run/songshan-trial-uploaded"
    line = " ".join(ssh_argv(materials, folder))
    program("rsync", "-e", line, str(source), f"root@127.0.0.1:{there}")
    program("rsync", "-e", line, f"root@127.0.0.1:{there}", str(folder / "fetched"))
    assert (folder / "fetched").read_bytes() == b"over the line"


def ffmpeg(_materials: Path, folder: Path) -> None:
    """Encode and look: x264 makes threads, asks for processors and for priorities."""
    encoded(folder)


def ffmpeg_within_bounds(_materials: Path, folder: Path) -> None:
    """The same, as the box calls it: with so much memory, and dead when its caller is."""
    encoded(folder, *BOUNDS)


def encoded(folder: Path, *bounds: str) -> None:
    clip = str(folder / "clip.ts")
    coding = ("-c:v", "libx264", "-preset", "veryfast", "-threads", "4", "-c:a", "aac", "-shortest", "-f", "mpegts")
    program(*bounds, "ffmpeg", "-y", "-nostdin", "-v", "error", *PICTURE, *TONE, *coding, clip)
    said = program(*bounds, "ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", clip)
    assert {b"h264", b"aac"} <= set(said.split())


def psutil(_materials: Path, _folder: Path) -> None:
    """All that the box asks of it."""
    import psutil as ps

    assert ps.cpu_percent(interval=0.1) >= 0
    assert ps.virtual_memory().total > 0
    assert ps.disk_usage("/").total > 0
    assert "lo" in ps.net_if_addrs()
    assert "lo" in ps.net_io_counters(pernic=True)
    assert ps.boot_time() > 0
    assert ps.Process().memory_info().rss > 0
    ps.sensors_temperatures()
    os.getloadavg()


def nice(_materials: Path, _folder: Path) -> None:
    """Told no, or made nice; the program runs either way."""
    program("nice", "-n", "10", "true")
    program("ionice", "-t", "-c", "3", "true")


def be_nice(_materials: Path, _folder: Path) -> None:
    """What yields to the air must be able to."""
    assert program("nice", "-n", "10", "nice").strip() == b"10"
    program("ionice", "-c", "3", "true")


def journal(_materials: Path, _folder: Path) -> None:
    assert program("journalctl", "--no-pager", "--lines=1", "--output=json", "--unit=ssh.service").strip()


def out(_materials: Path, _folder: Path) -> None:
    """A connection that this program makes itself."""
    with socket.create_connection(("127.0.0.1", 22), timeout=10) as line:
        assert line.recv(4) == b"SSH-"


def udp(_materials: Path, _folder: Path) -> None:
    """What a sender does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 4)
        line.sendto(b"x" * 1316, ("127.0.0.1", 5999))


def what_was_handed(_materials: Path, _folder: Path) -> None:
    """A file of the agent's that is open already, opened once more as ffmpeg does: then its mode counts."""
    assert Path("/proc/self/fd/0").read_bytes() == b"handed"


def keys(_materials: Path, _folder: Path) -> None:
    assert Path("/var/lib/songshan/keys/sign").read_bytes()


def database(_materials: Path, _folder: Path) -> None:
    """To be read; WAL wants its -shm to be mapped."""
    import sqlite3

    with sqlite3.connect("file:/var/lib/songshan/state/box.db?mode=ro", uri=True, timeout=10) as db:
        assert db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] > 0


def writing(path: str) -> Callable[[Path, Path], None]:
    """Make a file in a folder, and take it away."""

    def act(_materials: Path, _folder: Path) -> None:
        descriptor, name = tempfile.mkstemp(prefix=".trial", dir=path)
        os.close(descriptor)
        os.unlink(name)

    return act


def running_what_was_written(_materials: Path, folder: Path) -> None:
    shutil.copyfile("/bin/true", folder / "true")
    (folder / "true").chmod(0o700)
    program(str(folder / "true"))


def memory_that_is_written_and_run(_materials: Path, _folder: Path) -> None:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def mounting(_materials: Path, folder: Path) -> None:
    if libc.mount(b"/usr", os.fsencode(folder), None, MS_BIND, None) != 0:
        raise OSError(ctypes.get_errno(), "mount")


def asking_systemd(_materials: Path, _folder: Path) -> None:
    """How a stick is mounted: systemd does it, and everybody sees it."""
    point = "/run/songshan-trial-mount"
    program("systemd-mount", "--quiet", "--collect", "--no-ask-password", "--type=tmpfs", "none", point)
    try:
        assert f" {point} " in Path("/proc/self/mountinfo").read_text()
    finally:
        program("systemd-umount", "--quiet", point)


def seeing_devices(_materials: Path, _folder: Path) -> None:
    """systemd-mount refuses a device that is not there to be seen; to open it is another matter."""
    os.stat("/dev/console")


def a_namespace(_materials: Path, _folder: Path) -> None:
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def a_disk(_materials: Path, _folder: Path) -> None:
    disks = [name for name in os.listdir("/sys/block") if not name.startswith(("loop", "ram", "zram"))]
    for name in disks or ["none"]:
        os.close(os.open(f"/dev/{name}", os.O_RDONLY))


def the_kernels_log(_materials: Path, _folder: Path) -> None:
    assert program("dmesg")


ACTS: dict[str, Callable[[Path, Path], None]] = {
    "rsync": rsync,
    "ssh": ssh,
    "rsync over ssh": rsync_over_ssh,
    "ffmpeg": ffmpeg,
    "ffmpeg within bounds": ffmpeg_within_bounds,
    "psutil": psutil,
    "nice": nice,
    "be nice": be_nice,
    "journal": journal,
    "connect": out,
    "send": udp,
    "reopen what was handed": what_was_handed,
    "read keys": keys,
    "read database": database,
    "write database": writing("/var/lib/songshan/state"),
    "write spool": writing("/var/lib/songshan/spool/new"),
    "write incidents": writing("/var/lib/songshan/incidents"),
    "write config": writing("/etc/songshan"),
    "write releases": writing("/opt/songshan"),
    "write system": writing("/usr/local"),
    "run what was written": running_what_was_written,
    "write and run memory": memory_that_is_written_and_run,
    "mount": mounting,
    "have systemd mount": asking_systemd,
    "see devices": seeing_devices,
    "namespace": a_namespace,
    "open a disk": a_disk,
    "kernel's log": the_kernels_log,
}

if __name__ == "__main__":
    main()
