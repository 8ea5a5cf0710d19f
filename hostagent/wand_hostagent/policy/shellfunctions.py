"""Which names a text has surely made functions of its own, and from where on."""

from collections.abc import Iterable
from itertools import zip_longest

from wand_hostagent.policy.grammar import Node
from wand_hostagent.policy.reading import Command


class Functions:
    """Of a text, those that are defined whatever happens: by a line of its own, in no other command.

    A function that a branch, a loop, a subshell or another function defines may be none when its name is
    called; so may one that is defined later. Those names are programs.
    """

    def __init__(self, root: Node) -> None:
        following = zip_longest(root.children, root.children[1:])
        self._sure = {
            node.start_byte
            for node, after in following
            if node.type == "function_definition" and (after is None or after.type != "&")
        }
        self._from: dict[str, int] = {}

    def define(self, name: str, node: Node, place: int) -> None:
        """A function whose first command would be the text's command number `place`."""
        if node.start_byte in self._sure and name.isidentifier() and name.isascii():
            self._from.setdefault(name, place)

    def without_calls(self, commands: Iterable[Command]) -> tuple[Command, ...]:
        """The commands but for those that call one of these functions."""
        found = tuple(commands)
        if any("unset" in word for one in found for word in (one.program, *one.arguments)):
            return found
        return tuple(one for place, one in enumerate(found) if not self._calls(one, place))

    def _calls(self, command: Command, place: int) -> bool:
        return self._from.get(command.program, place + 1) <= place
