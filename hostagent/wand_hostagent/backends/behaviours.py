"""The table of what every backend does alike; `conformance` runs it."""

import re
import signal

from wand_hostagent.backends.conformance import Behaviour, Running
from wand_hostagent.model import Reason
from wand_proto.errors import Conflict, WandError

EXITED, SIGNALED = Reason.EXITED, Reason.SIGNALED
EVERY_BYTE = "for i in 0 1 2 3; do for j in 0 1 2 3 4 5 6 7; do for k in 0 1 2 3 4 5 6 7; do "


# -- what is done while a job runs --------------------------------------------------------------------------


async def _answer(running: Running) -> None:
    await running.until(lambda text: text == b"name? ")
    running.give(data="Zoë\n".encode())
    await running.until(lambda text: text.endswith(b"more? "))
    running.give(data=b"no", end=True)


async def _end_twice(running: Running) -> None:
    await running.until(lambda text: text == b"go\n")
    running.give(end=True)
    try:
        running.give(data=b"x")
    except (Conflict, AssertionError):
        return
    running.wrong.append("it took input after the end")


async def _terminate(running: Running) -> None:
    await running.until(lambda text: b"go" in text)
    if not await running.backend.signal(running.job.id, signal.SIGTERM):
        running.wrong.append("signal() says that it has ended")


async def _kill(running: Running) -> None:
    await running.until(lambda text: b"go" in text)
    await running.backend.signal(running.job.id, signal.SIGKILL)


async def _interrupt(running: Running) -> None:
    await running.until(lambda text: b"go" in text)
    running.give(interrupt=True)


async def _cancel(running: Running) -> None:
    await running.until(lambda text: b"go" in text)
    running.cancel.set()


async def _resize(running: Running) -> None:
    await running.until(lambda text: b"go" in text)
    running.give(resize=(132, 43))
    running.give(data=b"x\n")


async def _resize_alone(running: Running) -> None:
    await running.until(lambda text: b"go" in text)
    running.give(resize=(132, 43))


OPEN = {"stdin_open": True}
SHOWN = {"terminal": (80, 24)}  # a terminal on which nobody types
TERMINAL = {**SHOWN, **OPEN}
BEHAVIOURS = (
    Behaviour(name="exits with 0", argv=("true",)),
    Behaviour(name="exits with 1", argv=("false",), code=(1,)),
    Behaviour(name="exits with 42", text="exit 42", code=(42,)),
    Behaviour(name="exits with 127 for itself", text="exit 127", code=(127,)),
    Behaviour(
        name="has no such program",
        argv=("no-such-program-here",),
        code=(126, 127),
        stdout=None,
        stderr=None,
        or_error=WandError,
    ),
    Behaviour(name="writes to stdout", argv=("echo", "hello"), stdout=b"hello\n"),
    Behaviour(name="writes to both", text="echo out; echo err >&2", stdout=b"out\n", stderr=b"err\n"),
    Behaviour(name="writes without a line end", argv=("printf", "x"), stdout=b"x"),
    Behaviour(
        name="writes every byte",
        text=EVERY_BYTE + 'printf "\\\\$i$j$k"; done; done; done',
        stdout=bytes(range(256)),
    ),
    Behaviour(name="writes a MiB", text="head -c 1048576 /dev/zero", stdout=bytes(2**20)),
    Behaviour(
        name="writes many lines", text="seq 100000", stdout=b"".join(b"%d\n" % n for n in range(1, 100001))
    ),
    Behaviour(
        name="writes a lot to both at once",
        text="seq 20000 >&2 & seq 20000; wait",
        stdout=b"".join(b"%d\n" % n for n in range(1, 20001)),
        stderr=b"".join(b"%d\n" % n for n in range(1, 20001)),
    ),
    Behaviour(
        name="is given words as they are",
        argv=("printf", "%s|", "a b", "", "$HOME", "*", "'", '"', "\\", "a\nb", "~", "#", "-n", ";"),
        stdout=b"a b||$HOME|*|'|\"|\\|a\nb|~|#|-n|;|",
    ),
    Behaviour(name="is given Unicode", argv=("printf", "%s", "Zoë 漢字 🦀"), stdout="Zoë 漢字 🦀".encode()),
    Behaviour(
        name="reads Unicode in shell text", text="printf %s 'Zoë 漢字 🦀'", stdout="Zoë 漢字 🦀".encode()
    ),
    Behaviour(
        name="has pipes and lists", text="echo b a | tr ' ' '\\n' | sort && echo c", stdout=b"a\nb\nc\n"
    ),
    Behaviour(name="has nothing on stdin", argv=("cat",)),
    Behaviour(
        name="reads stdin", argv=("cat",), parts={"stdin": "Zoë\n\0".encode()}, stdout="Zoë\n\0".encode()
    ),
    Behaviour(
        name="reads a MiB of stdin",
        text="wc -c | tr -d ' '",
        parts={"stdin": bytes(2**20)},
        stdout=b"1048576\n",
    ),
    Behaviour(name="leaves a MiB of stdin unread", argv=("true",), parts={"stdin": bytes(2**20)}),
    Behaviour(
        name="asks and is answered",
        text="printf 'name? '; read a; printf 'hi %s, more? ' \"$a\"; cat",
        parts=OPEN,
        stdout="name? hi Zoë, more? no".encode(),
        acts=_answer,
    ),
    Behaviour(
        name="takes nothing after the end", text="echo go; cat", parts=OPEN, stdout=b"go\n", acts=_end_twice
    ),
    Behaviour(
        name="is given variables",
        text='printf "%s" "$W_ONE$W_TWO"',
        parts={"environment": {"W_ONE": "Zoë='\"$x", "W_TWO": "a\nb "}},
        stdout="Zoë='\"$xa\nb ".encode(),
    ),
    Behaviour(name="starts where it is told", argv=("pwd",), parts={"directory": "/tmp"}, stdout=b"/tmp\n"),  # noqa: S108
    Behaviour(
        name="starts in no folder that is not there",
        argv=("pwd",),
        parts={"directory": "/no/such/folder"},
        code=(0, 1, 126, 127),
        stdout=None,
        stderr=None,
        or_error=WandError,
    ),
    Behaviour(name="ends itself by a signal", text="kill -TERM $$", reason=SIGNALED, signal=15),
    Behaviour(name="kills itself", text="kill -KILL $$", reason=SIGNALED, signal=9),
    Behaviour(
        name="is sent SIGTERM",
        text="echo go; exec sleep 71001",
        reason=SIGNALED,
        signal=15,
        stdout=b"go\n",
        acts=_terminate,
        leaves_nothing="sleep.71001",
    ),
    Behaviour(
        name="hears SIGTERM",
        text="trap 'echo heard; exit 7' TERM; echo go; while :; do sleep 0.1; done",
        code=(7,),
        stdout=re.compile(rb"go\nheard\n"),
        stderr=None,
        acts=_terminate,
    ),
    Behaviour(
        name="is sent SIGKILL",
        text="echo go; sleep 71002",
        reason=SIGNALED,
        signal=9,
        stdout=b"go\n",
        acts=_kill,
        leaves_nothing="sleep.71002",
    ),
    Behaviour(
        name="runs out of time",
        text="echo go; sleep 71003",
        wall_seconds=1.0,
        reason=Reason.TIMED_OUT,
        stdout=b"go\n",
        leaves_nothing="sleep.71003",
    ),
    Behaviour(
        name="ignores SIGTERM and runs out of time",
        text="trap '' TERM INT HUP; echo go; sleep 71004",
        wall_seconds=1.0,
        reason=Reason.TIMED_OUT,
        stdout=b"go\n",
        leaves_nothing="sleep.71004",
    ),
    Behaviour(
        name="runs out of time with a tree",
        wall_seconds=1.0,
        reason=Reason.TIMED_OUT,
        stdout=b"go\n",
        text="sh -c 'sleep 71005 & sleep 71005 & wait' & (sleep 71005 &) ; echo go; wait",
        leaves_nothing="sleep.71005",
    ),
    Behaviour(
        name="is cancelled",
        text="sh -c 'sleep 71006 & wait' & echo go; sleep 71006",
        acts=_cancel,
        leaves_nothing="sleep.71006",
    ),
    Behaviour(
        name="leaves something behind",
        text="sleep 71007 >/dev/null 2>&1 & echo done",
        stdout=b"done\n",
        leaves_nothing="sleep.71007",
    ),
    Behaviour(
        name="leaves something behind that holds its output",
        text="sleep 71008 & echo done",
        stdout=b"done\n",
        leaves_nothing="sleep.71008",
    ),
    Behaviour(
        name="writes more than it may",
        argv=("yes",),
        output_bytes=10001,
        reason=Reason.OUTPUT_LIMIT,
        stdout=re.compile(rb"(y\n){5000}y"),
    ),
    Behaviour(
        name="makes fifty children",
        text="for i in 1 2 3 4 5 6 7 8 9 10; do for j in 1 2 3 4 5; do (sleep 0; echo x) & done; done; wait",
        stdout=b"x\n" * 50,
    ),
    Behaviour(
        name="has a terminal",
        text="test -t 0 && test -t 1 && test -t 2 && stty size",
        parts=TERMINAL,
        stdout=b"24 80\r\n",
    ),
    Behaviour(
        name="has its terminal resized",
        text="stty -echo; echo go; read x; stty size",
        parts=TERMINAL,
        stdout=b"go\r\n43 132\r\n",
        acts=_resize,
    ),
    Behaviour(
        name="is interrupted by Ctrl-C",
        text="echo go; exec sleep 71009",
        parts=TERMINAL,
        reason=SIGNALED,
        signal=2,
        stdout=re.compile(rb"go\r\n(\^C)?"),
        acts=_interrupt,
        leaves_nothing="sleep.71009",
    ),
    Behaviour(
        name="is interrupted by Ctrl-C where nobody types",
        text="echo go; exec sleep 71010",
        parts=SHOWN,
        reason=SIGNALED,
        signal=2,
        stdout=re.compile(rb"(\^D(\x08\x08)?)?go\r\n(\^C)?"),
        acts=_interrupt,
        leaves_nothing="sleep.71010",
    ),
    Behaviour(
        name="has its terminal resized where nobody types",
        text="trap 'stty size; exit' WINCH; echo go; while :; do sleep 0.1; done",
        parts=SHOWN,
        stdout=re.compile(rb"(\^D(\x08\x08)?)?go\r\n43 132\r\n"),
        acts=_resize_alone,
    ),
)
