"""Both playbooks once more: they change nothing, not even the permissions of a file; and a check run says so before."""

from concurrent.futures import ThreadPoolExecutor

from tests.machines.machine import Machine
from tests.machines.pair import Run
from tests.machines.trial import Trial

_LISTED = (
    "find /etc /usr /var -xdev"
    " \\( -path /var/lib/songshan -o -path /var/log -o -path /var/tmp -o -path /var/cache \\) -prune"
    " -o -printf '%m %u %g %y\\t%p\\n'"
)
_LIST_S_MAX = 300
_PLAYBOOKS = ("hub.yml", "box.yml")


def play(trial: Trial) -> None:
    trial.as_made()
    trial.switch_on()
    before = {machine.name: permissions(machine) for machine in trial.pair.machines}
    for kind, arguments in (("check", ("--check",)), ("second", ())):
        for name, run in both(trial, kind, arguments).items():
            trial.figures[f"{kind}_{name.partition('.')[0]}_s"] = round(run.seconds)
            assert run.changed == 0, f"{name}, {kind} run: it changed {run.tasks_changed}"
    for machine in trial.pair.machines:
        after = permissions(machine)
        differ = {path for path, rights in before[machine.name].items() if after.get(path, rights) != rights}
        assert not differ, f"other permissions on {machine.name}: {sorted(differ)[:20]}"


def both(trial: Trial, kind: str, arguments: tuple[str, ...]) -> dict[str, Run]:
    """Side by side, each on its own machine: a box that has joined asks the hub for nothing."""
    with ThreadPoolExecutor(len(_PLAYBOOKS)) as side_by_side:
        runs = [side_by_side.submit(trial.pair.playbook, name, *arguments, log=f"{kind}-{name}") for name in _PLAYBOOKS]
        return {name: run.result() for name, run in zip(_PLAYBOOKS, runs, strict=True)}


def permissions(machine: Machine) -> dict[str, str]:
    """Path to mode, owner and kind, of what a playbook may touch."""
    listed = machine.shell.run(_LISTED, timeout_s=_LIST_S_MAX).out.splitlines()
    return {path: rights for rights, _tab, path in (line.partition("\t") for line in listed)}
