"""Every program of which something is known, by name."""

from collections.abc import Mapping

from wand_hostagent.policy.effects import Program
from wand_hostagent.policy.programs import building, containers, files, looking, network, versions

PROGRAMS: Mapping[str, Program] = {
    name: program
    for family in (building, containers, files, looking, network, versions)
    for program in family.PROGRAMS
    for name in program.names.split()
}
