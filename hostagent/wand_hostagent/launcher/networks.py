"""Network namespaces that jobs have left, kept for the next: one is costly to make and to end."""

import os

from wand_hostagent.launcher.gateway import Gateway

_MOST = 64  # of each kind


class Networks:
    """Those that nobody is in; each is a descriptor, and none is -1."""

    def __init__(self, gateway: Gateway | None) -> None:
        self._gateway = gateway
        self._left: dict[str, list[int]] = {}

    def take(self, kind: str) -> int:
        """One that is there, or -1."""
        left = self._left.get(kind)
        return left.pop() if left else -1

    def give_back(self, kind: str, network: int) -> None:
        """One that was taken and not used."""
        if network >= 0:
            self._keep(kind, network)

    def leave(self, kind: str, network: int) -> None:
        """All processes of its job are gone."""
        if network < 0:
            return
        if self._gateway is not None and kind == "proxy":
            self._gateway.leave(network, lambda: self._keep(kind, network))
        else:
            self._keep(kind, network)

    def close(self, network: int) -> None:
        """One that is used no more."""
        if network < 0:
            return
        if self._gateway is not None:
            self._gateway.close(network)
        os.close(network)

    def _keep(self, kind: str, network: int) -> None:
        left = self._left.setdefault(kind, [])
        if len(left) < _MOST:
            left.append(network)
        else:
            self.close(network)
