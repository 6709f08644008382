"""Every page of the program, once.

A new page is a module in `tui/gather`, one in `tui/view`, texts in the catalogue, and a line here.
"""

from typing import Final

from tui.gather import alarms as gather_alarms
from tui.gather import asrun as gather_asrun
from tui.gather import audit as gather_audit
from tui.gather import cache as gather_cache
from tui.gather import doctor as gather_doctor
from tui.gather import first_boot as gather_first_boot
from tui.gather import given as gather_given
from tui.gather import logs as gather_logs
from tui.gather import market as gather_market
from tui.gather import network as gather_network
from tui.gather import orders as gather_orders
from tui.gather import playout as gather_playout
from tui.gather import storage as gather_storage
from tui.gather import sync as gather_sync
from tui.gather import system as gather_system
from tui.gather import upgrade as gather_upgrade
from tui.gather import usb as gather_usb
from tui.keys import say
from tui.page import Page
from tui.view import (
    alarms,
    asrun,
    audit,
    cache,
    doctor,
    first_boot,
    first_boot_acts,
    given,
    logs,
    market,
    network,
    orders,
    overview,
    playout,
    playout_acts,
    storage,
    storage_acts,
    sync,
    system,
    system_acts,
    upgrade,
    upgrade_acts,
    usb,
)

FIRST_BOOT: Final = "first-boot"
"""The page that the program begins with where the box has no configuration."""

PAGES: Final = (
    Page(
        "overview",
        say("Overview"),
        "1",
        overview.sheet,
        say("In five seconds: are we on the air, what is wrong, what to do. j and k move the alarms."),
    ),
    Page(
        "playout",
        say("Playout"),
        "2",
        playout.sheet,
        say(
            "What each channel plays, and what of the next 24 hours is ready; what is not stands first. Enter on an"
            " entry says why and what to do. Tab leads to the other channels and to the clips that can air."
        ),
        gather_playout.gather,
        playout_acts.ACTS,
    ),
    Page(
        "asrun",
        say("As-run"),
        "",
        asrun.sheet,
        say(
            "What aired, the newest first, and what vouches for it. / and a time goes there: 1903 is the last 19:03,"
            " -1903 that of yesterday, 1124 1903 that of the day; / and a word finds titles. Tab leads to the"
            " accidents."
        ),
        gather_asrun.gather,
    ),
    Page(
        "sync",
        say("Sync"),
        "3",
        sync.sheet,
        say(
            "What goes down and up between this box and the hub, the most urgent first. Offline is normal: everything"
            " waits as long as it must."
        ),
        gather_sync.gather,
        sync.ACTS,
    ),
    Page(
        "market",
        say("Supermarket"),
        "4",
        market.sheet,
        say(
            "Stories that the hub offers, what this site took and how far it is, what was sent up and what became of"
            " it. / finds words, initials of a title's pinyin, and sections: news, government, service, shop."
        ),
        gather_market.gather,
        market.ACTS,
    ),
    Page(
        "orders",
        say("Orders"),
        "0",
        orders.sheet,
        say(
            "What the command desk asks, those without an answer first. Enter reads one, a answers it: accepted, done"
            " or declined, with a note from a list or typed. A later answer takes the place of the one before."
        ),
        gather_orders.gather,
        orders.ACTS,
    ),
    Page(
        "cache",
        say("Media cache"),
        "",
        cache.sheet,
        say(
            "What the disk of the media is used for: why each asset is here, what goes next when room is short, how far"
            " reading again is, what was set aside. / finds names and digests."
        ),
        gather_cache.gather,
    ),
    Page(
        "usb",
        say("Sticks"),
        "5",
        usb.sheet,
        say(
            "Sticks that are mounted, whose each is, what an import would bring. Only one that is labelled for this"
            " site is read, and only an empty one is labelled. n names a folder that is no mount. An import is the"
            " agent's; an export has the rights of this account and goes on when the screen is closed."
        ),
        gather_usb.gather,
        usb.ACTS,
        {"export": gather_usb.export, "folder": gather_usb.show_folder},
    ),
    Page(
        "network",
        say("Network"),
        "6",
        network.sheet,
        say(
            "Cards, addresses, the way out, and the line to the hub as the agent knows it. The test reaches the hub"
            " step by step: name, connection, host key."
        ),
        gather_network.gather,
        network.ACTS,
        {"test": gather_network.try_line},
    ),
    Page(
        "storage",
        say("Storage"),
        "7",
        storage.sheet,
        say(
            "The disks by bay and serial number, what lies on them, which one to pull. Tab leads to the file systems"
            " and to the steps of replacing the disk of the media."
        ),
        gather_storage.gather,
        storage_acts.ACTS,
    ),
    Page(
        "upgrade",
        say("Upgrade"),
        "",
        upgrade.sheet,
        say(
            "Which release runs, which one after the next start, and which one it goes back to; the five signals of the"
            " gate while a release is on trial. The channels go on through an upgrade and through going back."
        ),
        gather_upgrade.gather,
        upgrade_acts.ACTS,
        {"rollback": gather_upgrade.roll_back, "apply": gather_upgrade.apply, "stage": gather_upgrade.stage},
    ),
    Page(
        "given",
        say("Waiting commands"),
        "",
        given.sheet,
        say(
            "What was asked of this box and is not done yet, in the order in which the agent takes it. Given while the"
            " agent is away it waits here; what came of it stands on the page of the audit."
        ),
        gather_given.gather,
    ),
    Page(
        "audit",
        say("Audit"),
        "",
        audit.sheet,
        say(
            "Who did what, when, through which door and why; nothing of it can be changed. Tab leads to the chains"
            " under it, which can be checked here from the first record on."
        ),
        gather_audit.gather,
        audit.ACTS,
        {"verify": gather_audit.verify},
    ),
    Page(
        "system",
        say("System"),
        "",
        system.sheet,
        say(
            "The machine under the box: versions, load, time, the services, who may act, backups, and what a reset"
            " takes away. A restart takes the channels off the air and wants the site's id and a reason."
        ),
        gather_system.gather,
        system_acts.ACTS,
        {"backup": gather_system.back_up, "restart": gather_system.restart},
    ),
    Page(
        FIRST_BOOT,
        say("First start"),
        "",
        first_boot.sheet,
        say(
            "From a bare machine to the box of a county, in five steps: language, the bundle of the hub's operator, the"
            " line, the time, and one yes. Nothing is changed before that."
        ),
        gather_first_boot.gather,
        first_boot_acts.ACTS,
        {"choose": gather_first_boot.choose, "test": gather_first_boot.try_line, "join": gather_first_boot.join},
    ),
    Page(
        "doctor",
        say("Doctor"),
        "",
        doctor.sheet,
        say(
            "Every part of the box looked at by itself, with the cause and the next step; works with everything else"
            " dead. The six digits say on the telephone what is not in order. The bundle is for whoever helps."
        ),
        gather_doctor.gather,
        doctor.ACTS,
        {"bundle": gather_doctor.bundle, "again": gather_doctor.again},
    ),
    Page(
        "alarms",
        say("Alarms"),
        "8",
        alarms.sheet,
        say(
            "What is wrong now, since when, and what to do; the worst first. Tab leads to what is over: from when to"
            " when, how often, and when the machine was off or ran without the agent."
        ),
        gather_alarms.gather,
    ),
    Page(
        "logs",
        say("Logs"),
        "9",
        logs.sheet,
        say(
            "What the parts say, the newest first. Tab chooses the part or the warnings of all; / looks for words."
            " Without systemd the log files in the box's folder are read."
        ),
        gather_logs.gather,
    ),
)


def page_named(name: str) -> Page:
    """The page with this name."""
    return next(page for page in PAGES if page.name == name)
