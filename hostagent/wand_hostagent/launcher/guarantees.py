"""What is promised of every job on this machine and what is not, in words that `profiles` sends along."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wand_hostagent.launcher import landlock
from wand_hostagent.launcher.box import Box
from wand_hostagent.launcher.profile import Profile, Shelf


@dataclass(frozen=True, slots=True)
class Guarantee:
    """One promise, whether it is kept, and how or why not."""

    name: str
    enforced: bool
    detail: str


_SHOWN = 32  # of the destinations of a profile
# What a profile asks of the machine where it names no `minimum` of its own and nobody develops on it.
_DEMANDED = ("process tree", "launcher death", "no new privileges", "file system", "system calls")


def of(box: Box, profiles: Iterable[Profile]) -> list[Guarantee]:
    """Every promise, as things stand here."""
    known = list(profiles)
    found = [
        _tree(box),
        _launcher_death(box),
        _processes_seen(box),
        Guarantee("no new privileges", enforced=True, detail="set-user-id programs give nothing (prctl)"),
        _run_as(known),
        _ceilings(box),
        _file_system(box),
        _system_calls(box),
        _network(box, known),
    ]
    return [*found, _programs(box, known)] if any(profile.programs for profile in known) else found


def fitting(shelf: Shelf, box: Box, *, lenient: bool) -> Shelf:
    """The shelf, on which a profile that demands more than this machine gives is broken and says why."""
    fit, broken = dict(shelf.profiles), dict(shelf.broken)
    for name, profile in shelf.profiles.items():
        missing = _missing(profile, box, lenient=lenient)
        if missing:
            del fit[name]
            broken[name] = f"this machine does not give what it demands: {missing}"
    return Shelf(profiles=fit, broken=broken)


def _missing(profile: Profile, box: Box, *, lenient: bool) -> str:
    if box.landlock < profile.landlock_abi_minimum:
        found = f"Landlock {box.landlock}" if box.landlock else "no Landlock"
        return f"landlock_abi_minimum is {profile.landlock_abi_minimum}, and this kernel has {found}"
    if profile.network == "host" and not lenient and not box.connected:
        return (
            "network is host, and the launcher itself is in none (PrivateNetwork=no in its unit changes that)"
        )
    demanded = set(_demanded(profile, lenient=lenient))
    return "; ".join(
        f"{one.name} ({one.detail})"
        for one in of(box, [profile])
        if one.name in demanded and not one.enforced
    )


def _demanded(profile: Profile, *, lenient: bool) -> tuple[str, ...]:
    own = ("programs",) if profile.programs else ()
    own = (*own, "network") if profile.network == "proxy" else own
    if profile.minimum is not None:
        return (*profile.minimum, *own)
    if lenient:
        return ("no new privileges", *own)
    return (*_DEMANDED, *own, *(() if profile.network == "host" else ("network",)))


def _file_system(box: Box) -> Guarantee:
    lacks = "; ".join(landlock.lacks(box.landlock))
    if box.own_tree:
        also = f"Landlock {box.landlock} holds it besides" if box.landlock else "without Landlock"
        detail = f"a mount tree of the job's own shows what the profile names, and {also}"
        return Guarantee("file system", enforced=True, detail=detail + (f" ({lacks})" if lacks else ""))
    if box.landlock:
        detail = (
            "no mount tree of its own: Landlock holds a job's reading and writing to what the profile names"
            f" and to /tmp, but it sees names and modes of all files and reaches sockets ({box.refusal})"
        )
    else:
        detail = f"a command reads and writes whatever its user may ({box.refusal})"
    return Guarantee("file system", enforced=False, detail=detail)


def _system_calls(box: Box) -> Guarantee:
    detail = (
        "a filter denies what reaches deep into the kernel: mounts, namespaces, modules, keys, tracing of it"
    )
    if not box.filters:
        detail = "this kernel or processor takes no filter (seccomp)"
    return Guarantee("system calls", enforced=box.filters, detail=detail)


def _network(box: Box, profiles: list[Profile]) -> Guarantee:
    if not box.spaces:
        return Guarantee(
            "network", enforced=False, detail=f"no network namespace: a command reaches all ({box.refusal})"
        )
    through = sorted(profile.name for profile in profiles if profile.network == "host")
    if through:
        detail = f"commands of these profiles reach whatever this machine reaches: {', '.join(through)}"
        return Guarantee("network", enforced=False, detail=detail)
    proxied = [profile for profile in profiles if profile.network == "proxy"]
    if proxied and not box.proxy:
        names = ", ".join(sorted(profile.name for profile in proxied))
        detail = f"no proxy for these profiles: {names}; the launcher is told of one by --egress"
        return Guarantee("network", enforced=False, detail=detail)
    by = "by a proxy" if box.proxy_is_up else "by a proxy that is not there now"
    through = [f"{one.name} only reaches {_listed(one.destinations)}, {by}" for one in proxied]
    detail = "; ".join(["a network namespace for each job: no way out of it", *through])
    return Guarantee("network", enforced=True, detail=detail)


def _listed(destinations: Sequence[str]) -> str:
    more = len(destinations) - _SHOWN
    shown = ", ".join(destinations[:_SHOWN]) or "nothing"
    return f"{shown} and {more} more" if more > 0 else shown


def _programs(box: Box, profiles: list[Profile]) -> Guarantee:
    listed = ", ".join(sorted(profile.name for profile in profiles if profile.programs))
    enforced = box.landlock > 0
    detail = f"only what is listed runs under: {listed}" if enforced else "this kernel has no Landlock"
    return Guarantee("programs", enforced=enforced, detail=detail)


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


_EACH = {
    "memory": "memory: what each process has for itself (RLIMIT_DATA)",
    "pids": "processes: {count}",
    "cpu": "processor time: for each process; its share: not at all",
}
_ALWAYS = (
    "wall clock and output: for the whole job; file size and open files: for each process; disk: the file"
    " systems of its folders are looked at five times a second"
)


def _ceilings(box: Box) -> Guarantee:
    """Sums are promised where each of them is counted; what is held of the others is told."""
    missing = {name: text for name, text in _EACH.items() if name not in box.sums}
    if not missing:
        detail = f"memory, processes and processor time: for the whole job (control groups); {_ALWAYS}"
        return Guarantee("resource ceilings", enforced=True, detail=detail)
    held = "; ".join(text.format(count=_process_count(box)) for text in missing.values())
    lacking = ", ".join(missing)
    detail = f"not for the whole job: {lacking} ({box.no_sums or 'not looked for'}). {held}; {_ALWAYS}"
    return Guarantee("resource ceilings", enforced=False, detail=detail)


def _process_count(box: Box) -> str:
    if box.has_own_users:
        return "for each job, where the profile limits them"
    return "for all jobs of a run_as user together; not counted for root or the launcher's own user"
