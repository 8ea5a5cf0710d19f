"""What is done for a job of a profile, printed before there is one."""

from wand_hostagent.launcher.planning import Planner
from wand_hostagent.launcher.profile import Shelf
from wand_hostagent.launcher.refusal import Refused


def explained(shelf: Shelf, name: str, planner: Planner) -> str:
    """Every step for a job that asks for all that the profile grants, and their hash as in its record.

    Where control groups count memory and processes of a job together, some limits of single processes are
    left out, so that the hash is another.

    Raises:
        Refused: there is no such profile, or what is done depends on who asks.
    """
    profile = shelf.take(name)
    if profile.is_personal:
        message = f"profile {profile.name!r} is another for each principal: its steps are known when one asks"
        raise Refused("Invalid", message, hint="the ledger has their hash for each job")
    walls, table = planner.steps(profile)
    head = f"profile {profile.name} {profile.digest}\nuser {profile.user.name}"
    return f"{head}\n{walls}\n{table}\nsteps {table.digest}"
