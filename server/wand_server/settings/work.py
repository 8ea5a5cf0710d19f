"""Settings of tasks: where they are kept, and for how long."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from wand_server.kinds import Frozen

_FORMS = "sqlite, sqlite:/PATH or postgresql://USER@HOST:PORT/NAME"


def a_database(untrusted: str) -> str:
    """Where tasks are kept, and never the password for it."""
    if untrusted == "sqlite" or re.fullmatch(r"sqlite:.+", untrusted):
        return untrusted
    parts = urlsplit(untrusted)
    if parts.scheme not in {"postgresql", "postgres"} or not parts.path.strip("/"):
        raise ValueError(f"must be {_FORMS}")
    if parts.password is not None or "password=" in parts.query:
        raise ValueError("must not hold the password: tasks.password says where that is, as cred:NAME")
    return untrusted


class Tasks(Frozen):
    """Where tasks, projects and agents are kept."""

    database: Annotated[str, AfterValidator(a_database)] = "sqlite"  # tasks.db in the folder of the state
    password: str = ""  # where that of PostgreSQL is: env:NAME, file:/PATH or cred:NAME
    keep_seconds: Annotated[float, Field(ge=0, le=366 * 86400)] = 7 * 86400  # what has ended
