"""The events of one job joined to its outcome, in bounded memory: of each stream the head and the tail."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from wand_proto.errors import Broken
from wand_proto.v1 import execution_pb2, types_pb2
from wand_server import ports
from wand_server.hostlink import translate

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How much of each stream is kept."""

    head_bytes: int = 24 * 1024
    tail_bytes: int = 8 * 1024


class Ends:
    """The head and the tail of one stream; where something is lost, what came before it is the head."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._head = bytearray()
        self._tail = bytearray()
        self._room = kept.head_bytes
        self.total_bytes = 0
        self.lost_bytes = 0

    def add(self, data: bytes) -> None:
        """Take in what came next."""
        self.total_bytes += len(data)
        head, rest = data[: self._room], data[self._room :]
        self._head += head
        self._room -= len(head)
        if not rest:
            return
        self._tail += rest[-self._kept.tail_bytes :] if self._kept.tail_bytes else b""
        del self._tail[: max(0, len(self._tail) - self._kept.tail_bytes)]

    def lose(self, count: int) -> None:
        """Note that the next `count` bytes will not come."""
        self.total_bytes += count
        self.lost_bytes += count
        self._room = 0
        self._tail.clear()

    def shown(self) -> bytes:
        """What is kept, the tail behind the head."""
        return bytes(self._head + self._tail)

    def omitted(self) -> tuple[int, int] | None:
        """The offsets that are left out of what is shown, lost or not."""
        begin, end = len(self._head), self.total_bytes - len(self._tail)
        return (begin, end) if begin < end else None


@lru_cache(maxsize=256)  # they are few, and come with every job
def _limits(packed: bytes) -> Mapping[str, float]:
    return {field.name: amount for field, amount in types_pb2.Limits.FromString(packed).ListFields()}


class Gathered:
    """What is known of a job so far."""

    def __init__(self, kept: Kept) -> None:
        self.job = ""
        self._directory = ""
        self._backend = ""
        self._limits: Mapping[str, float] = {}
        self._streams: dict[ports.StreamName, Ends] = {"stdout": Ends(kept), "stderr": Ends(kept)}
        self._exited: execution_pb2.Exited | None = None
        self._began = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether the job has ended."""
        return self._exited is not None

    def offset(self, stream: ports.StreamName) -> int:
        """How much of the stream has come."""
        return self._streams[stream].total_bytes

    def take(self, event: execution_pb2.Event) -> tuple[ports.StreamName, bytes] | None:
        """Take in one event; what the job wrote, if it did."""
        match event.WhichOneof("kind"):
            case "started":
                self.job, self._directory = event.started.job, event.started.directory
                self._backend = event.started.backend
                self._limits = _limits(event.started.limits.SerializeToString())
            case "exited":
                self._exited = execution_pb2.Exited()
                self._exited.CopyFrom(event.exited)  # of its own: a part of a message keeps all of that
                self._lose_until("stdout", event.exited.stdout_bytes)
                self._lose_until("stderr", event.exited.stderr_bytes)
            case "output":
                return self._take_output(event.output)
        return None

    def take_at_once(self, event: execution_pb2.Event) -> bool:
        """The same for whom nobody tells of output; always True."""
        self.take(event)
        return True

    def _take_output(self, output: execution_pb2.Output) -> tuple[ports.StreamName, bytes] | None:
        name = translate.STREAM_NAMES.get(output.stream)
        if name is None:
            raise Broken(f"the host agent sent a stream that is not known here: {output.stream}")
        self._lose_until(name, output.offset)
        fresh = output.data[self.offset(name) - output.offset :]  # after a break, parts may come twice
        self._streams[name].add(fresh)
        return (name, fresh) if fresh else None

    def _lose_until(self, name: ports.StreamName, offset: int) -> None:
        """The stream goes on at `offset`: what lies before it and has not come is lost."""
        missing = offset - self.offset(name)
        if missing > 0:
            self._streams[name].lose(missing)
            log.warning("output lost", extra={"job": self.job, "stream": name, "bytes": missing})

    def started(self) -> ports.StartedJob:
        """What runs; only when it has started."""
        return ports.StartedJob(job=self.job, directory=self._directory)

    def outcome(self) -> ports.CommandOutcome:
        """How the job ended; only when it is over."""
        assert self._exited is not None
        return self._told(self._exited, translate.reason(self._exited.reason))

    def so_far(self) -> ports.CommandOutcome:
        """How far it has come; only while it runs."""
        lasted = execution_pb2.Exited(wall_seconds=time.monotonic() - self._began)
        return self._told(lasted, "running")

    def _told(self, exited: execution_pb2.Exited, reason: ports.Reason) -> ports.CommandOutcome:
        out, err = self._streams["stdout"], self._streams["stderr"]
        return ports.CommandOutcome(
            job=exited.job or self.job,
            reason=reason,
            exit_code=exited.exit_code if reason == "exited" else None,
            signal=exited.signal or None,
            stdout=out.shown(),
            stderr=err.shown(),
            stdout_bytes=out.total_bytes,
            stderr_bytes=err.total_bytes,
            stdout_omitted=out.omitted(),
            stderr_omitted=err.omitted(),
            stdout_lost_bytes=out.lost_bytes,
            stderr_lost_bytes=err.lost_bytes,
            wall_seconds=exited.wall_seconds,
            cpu_seconds=exited.cpu_seconds,
            peak_memory_bytes=exited.peak_memory_bytes,
            directory=self._directory,
            also=tuple(map(translate.reason, exited.also)),
            limits=self._limits,
            backend=self._backend,
        )
