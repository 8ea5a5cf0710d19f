"""The events of one job joined to its outcome, in bounded memory: of each stream the head and the tail."""

from dataclasses import dataclass

from wand_proto.errors import Broken
from wand_proto.v1 import execution_pb2
from wand_server import ports
from wand_server.hostlink import translate


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How much of each stream is kept."""

    head_bytes: int = 24 * 1024
    tail_bytes: int = 8 * 1024


class Ends:
    """The head and the tail of one stream."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._head = bytearray()
        self._tail = bytearray()
        self.total_bytes = 0

    def add(self, data: bytes) -> None:
        """Take in what came next."""
        self.total_bytes += len(data)
        room = self._kept.head_bytes - len(self._head)
        self._head += data[:room]
        rest = data[max(0, room) :]
        if not rest:
            return
        self._tail += rest[-self._kept.tail_bytes :] if self._kept.tail_bytes else b""
        del self._tail[: max(0, len(self._tail) - self._kept.tail_bytes)]

    def shown(self) -> bytes:
        """What is kept, the tail behind the head."""
        return bytes(self._head + self._tail)

    def omitted(self, total_bytes: int) -> tuple[int, int] | None:
        """The offsets that are left out of a stream that had so many bytes in all."""
        missing = total_bytes - len(self._head) - len(self._tail)
        return (len(self._head), len(self._head) + missing) if missing > 0 else None


class Gathered:
    """What is known of a job so far."""

    def __init__(self, kept: Kept) -> None:
        self.job = ""
        self._directory = ""
        self._streams: dict[ports.StreamName, Ends] = {"stdout": Ends(kept), "stderr": Ends(kept)}
        self._exited: execution_pb2.Exited | None = None

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
            case "exited":
                self._exited = event.exited
            case "output":
                return self._take_output(event.output)
        return None

    def _take_output(self, output: execution_pb2.Output) -> tuple[ports.StreamName, bytes] | None:
        name = translate.STREAM_NAMES.get(output.stream)
        if name is None:
            raise Broken(f"the host agent sent a stream that is not known here: {output.stream}")
        fresh = output.data[
            max(0, self.offset(name) - output.offset) :
        ]  # after a break, parts may come twice
        self._streams[name].add(fresh)
        return (name, fresh) if fresh else None

    def outcome(self) -> ports.CommandOutcome:
        """How the job ended; only when it is over."""
        exited = self._exited
        assert exited is not None
        out, err = self._streams["stdout"], self._streams["stderr"]
        out_bytes, err_bytes = (
            max(exited.stdout_bytes, out.total_bytes),
            max(exited.stderr_bytes, err.total_bytes),
        )
        reason = translate.reason(exited.reason)
        return ports.CommandOutcome(
            job=exited.job or self.job,
            reason=reason,
            exit_code=exited.exit_code if reason == "exited" else None,
            signal=exited.signal or None,
            stdout=out.shown(),
            stderr=err.shown(),
            stdout_bytes=out_bytes,
            stderr_bytes=err_bytes,
            stdout_omitted=out.omitted(out_bytes),
            stderr_omitted=err.omitted(err_bytes),
            wall_seconds=exited.wall_seconds,
            cpu_seconds=exited.cpu_seconds,
            peak_memory_bytes=exited.peak_memory_bytes,
            directory=self._directory,
        )
