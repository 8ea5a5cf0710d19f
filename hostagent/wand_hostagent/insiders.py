"""Who may do more than have things done: members of a group that policy, or their sign-in, puts them in."""

from wand_hostagent.launcherlink import LauncherLink
from wand_hostagent.policy.index import groups_of
from wand_hostagent.policy.model import Policy
from wand_hostagent.reports import who
from wand_proto.context import Caller
from wand_proto.errors import Denied

AUDITORS = "auditors"  # who may read the ledger from afar
ADMINISTRATORS = "administrators"  # who may change from afar where jobs run


async def only(policy: Policy, link: LauncherLink, caller: Caller, group: str, what: str) -> None:
    """See that the caller is in that group, who wants to do `what`.

    Raises:
        Denied: the caller is not; that is on record.
    """
    if group in (*caller.groups, *groups_of(policy, caller.principal)):
        return
    message = f"only the group {group!r} may {what}"
    await link.record("refused", {**who(caller), "rule": "", "message": message})
    raise Denied(message, hint="whoever looks after this host says who is in it")
