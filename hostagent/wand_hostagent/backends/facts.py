"""What the ledger is told of a permitted job, beside what is run."""

import hashlib
from typing import Any

from wand_hostagent.model import Job
from wand_hostagent.policy.model import Permit
from wand_hostagent.reports import who


def why(permit: Permit, job: Job) -> dict[str, Any]:
    """Who asked, by which rule, and what it is given to read, as a digest."""
    facts: dict[str, Any] = {
        **who(permit.caller),
        "rule": permit.rule,
        "policy": permit.policy_digest,
        "form": "shell" if job.shell else "argv",
    }
    if job.stdin:
        facts |= {"stdin_bytes": len(job.stdin), "stdin_sha256": hashlib.sha256(job.stdin).hexdigest()}
    if permit.approval:
        facts["approval"] = permit.approval
    facts |= {name: True for name in ("detached", "stdin_open") if getattr(job, name)}
    return facts
