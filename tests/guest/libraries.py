"""The libraries that the packages bring and the server loads only when something asks for them."""

from guest.steps import Stage

_LOAD = "import aiobotocore.session, asyncpg, numpy, pyte"


def loaded(stage: Stage) -> str:
    """With the package's own Python and nothing of the system's."""
    where = "import sys; sys.path.insert(0, '/usr/lib/wand-server')"
    stage.guest.do("/usr/lib/wand-server/bin/python3", "-I", "-S", "-c", f"{where}; {_LOAD}")
    return _LOAD.removeprefix("import ")
