"""`songshan-hub alarms`: whether alarms can get out, and what waits to."""

import click

from appliance.command import say, say_json
from appliance.core.errors import OperatorError, Text, WorldError
from appliance.core.facts import as_facts
from provisioning.command import pass_hub
from provisioning.fleet.book import read_book
from provisioning.fleet.core.letter_text import subject
from provisioning.fleet.core.letters import Letter
from provisioning.fleet.core.telling import trial
from provisioning.fleet.delivery import Arrived
from provisioning.fleet.settings import Alarms, read, secret
from provisioning.fleet.watch import send
from provisioning.hub.folder import HubFolder

_NONE = OperatorError(
    Text("hub.toml 没有 [alarms.mail] 或 [alarms.webhook]", "hub.toml has neither [alarms.mail] nor [alarms.webhook]"),
    hint=Text("写法见 docs/operating.md", "docs/operating.md says how"),
)


@click.group()
def alarms() -> None:
    """告警外发：试发、检查配置、看待发的。 Alarms out: a trial, the configuration, what waits.

    Example: songshan-hub alarms test
    """


@alarms.command()
@pass_hub
def test(folder: HubFolder) -> None:
    """试发一条，每条途径都发。 Send one message by every way that is configured; exit status 1 where one fails.

    Example: songshan-hub alarms test
    """
    configured = _configured(folder)
    hub, at_us = folder.settings().id, folder.now_us()
    failed = []
    for way, to in configured.ways.items():
        outcome = send(Letter(message=trial(hub, at_us), way=way, to=to), configured, hub, at_us)
        if isinstance(outcome, Arrived):
            say(Text(f"{way}：已送达", f"{way}: delivered"))
        else:
            failed.append(Text(f"{way}：{outcome.reason}", f"{way}: {outcome.reason}"))
    if failed:
        raise WorldError(*failed, hint=Text("查 hub.toml 的 [alarms]", "see [alarms] in hub.toml"))


@alarms.command()
@pass_hub
def check(folder: HubFolder) -> None:
    """检查 hub.toml 的 [alarms] 与密钥文件，一次列出所有问题。 Check [alarms] and its secrets; all problems at once.

    Example: songshan-hub alarms check
    """
    configured = _configured(folder)
    problems: list[Text] = []
    named = [
        *([configured.mail.password] if configured.mail is not None and configured.mail.password else []),
        *([configured.webhook.secret] if configured.webhook is not None else []),
    ]
    for each in named:
        try:
            secret(each)
        except WorldError as error:
            problems += error.problems
    if problems:
        raise OperatorError(*problems)
    ways = ", ".join(configured.ways)
    say(Text(f"[alarms] 可用：{ways}", f"[alarms] can be used: {ways}"))


@alarms.command()
@click.option("--json", "as_json", is_flag=True, help="facts for programs")
@pass_hub
def waiting(folder: HubFolder, as_json: bool) -> None:
    """待发的告警，与每条途径的情况。 What waits to leave, and how each way out does.

    Example: songshan-hub alarms waiting --json
    """
    folder.settings()
    book = read_book(folder.fleet)
    if as_json:
        say_json({"ways": as_facts(book.ways), "letters": as_facts(book.letters)})
        return
    for way in book.ways:
        state = (
            Text("正常", "works")
            if way.failing_since_us is None
            else Text(f"失败：{way.reason}", f"fails: {way.reason}")
        )
        say(
            Text(
                f"{way.way}：{state.zh}，已发 {way.sent}，丢弃 {way.lost}",
                f"{way.way}: {state.en}, {way.sent} sent, {way.lost} given up",
            )
        )
    for letter in book.letters:
        click.echo(f"{letter.way}  {subject(letter.message)}")
    if not book.letters:
        say(Text("没有待发的告警", "nothing waits"))


def _configured(folder: HubFolder) -> Alarms:
    configured = read(folder.settings().alarms)
    if not configured.ways:
        raise _NONE
    return configured
