"""What is promised of every job on this machine and what is not, in words that `profiles` sends along."""

from collections.abc import Iterable
from dataclasses import dataclass

from wand_hostagent.launcher.box import Box
from wand_hostagent.launcher.profile import Profile


@dataclass(frozen=True, slots=True)
class Guarantee:
    """One promise, whether it is kept, and how or why not."""

    name: str
    enforced: bool
    detail: str


def of(box: Box, profiles: Iterable[Profile]) -> list[Guarantee]:
    """Every promise, as things stand here."""
    return [
        _tree(box),
        _launcher_death(box),
        _processes_seen(box),
        Guarantee("no new privileges", enforced=True, detail="set-user-id programs give nothing (prctl)"),
        _run_as(list(profiles)),
        Guarantee(
            "resource ceilings",
            enforced=False,
            detail="wall clock: for the whole job. CPU time, written data, file size and open files: for each"
            " process by itself, not for their sum. Memory: what each process has for itself (RLIMIT_DATA)."
            f" Processes: {_process_count(box)}. Sums need control groups, which are not used yet",
        ),
        Guarantee(
            "file system",
            enforced=False,
            detail="a command starts in the profile's folders and the file tools stay in them, but a command"
            " reads and writes whatever its user may",
        ),
        Guarantee("network", enforced=False, detail="a command reaches whatever this machine reaches"),
    ]


def _tree(box: Box) -> Guarantee:
    if box.holds_tree:
        kind = "a user and a pid namespace" if box.has_own_users else "a pid namespace"
        return Guarantee(
            "process tree", enforced=True, detail=f"{kind} for each job: the kernel ends all its processes"
        )
    detail = (
        "no namespaces here, so processes are found in /proc and stopped before they are killed; one that"
        f" runs as the launcher's user can escape on purpose ({box.refusal})"
    )
    return Guarantee("process tree", enforced=False, detail=detail)


def _launcher_death(box: Box) -> Guarantee:
    if box.holds_tree:
        return Guarantee(
            "launcher death", enforced=True, detail="jobs end with the launcher (PR_SET_PDEATHSIG)"
        )
    detail = "the init of each job ends it when the launcher is gone, unless the job has killed it first"
    return Guarantee("launcher death", enforced=False, detail=detail)


def _processes_seen(box: Box) -> Guarantee:
    if box.fresh_proc:
        return Guarantee("processes seen", enforced=True, detail="a job sees its own processes only")
    detail = f"/proc shows the processes of the host, by name ({box.refusal or 'no pid namespace'})"
    return Guarantee("processes seen", enforced=False, detail=detail)


def _run_as(profiles: list[Profile]) -> Guarantee:
    same = sorted(profile.name for profile in profiles if not profile.user.changes)
    if not same:
        return Guarantee(
            "run as", enforced=True, detail="every profile names a user other than the launcher's"
        )
    detail = f"commands of these profiles run as the launcher's own user: {', '.join(same)}"
    return Guarantee("run as", enforced=False, detail=detail)


def _process_count(box: Box) -> str:
    if box.has_own_users:
        return "for each job, where the profile limits them"
    return "for all jobs of a run_as user together; not counted for root or the launcher's own user"
