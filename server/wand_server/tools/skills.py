"""Skills: what an agent should know before it works through Wand, in files that a client loads at need."""

from wand_server.model import ResourceContent, ResourceDescription, SkillDescription

_KIND = "text/markdown"


def _skill(name: str, description: str, body: str) -> SkillDescription:
    """A skill of one file; its head is made of the same words as its entry (SEP-2640)."""
    text = f"---\nname: {name}\ndescription: {description}\n---\n\n{body}"
    uri = f"skill://{name}/SKILL.md"
    return SkillDescription(uri=uri, name=name, description=description, files=((uri, text.encode()),))


ALL = (
    _skill(
        "run-commands",
        "Run commands through Wand well - long ones, those that ask questions, those that print a lot",
        """\
# Run commands

- `execute_command` waits for the end. Give `argv` for one program, `command` where you need a shell. A `cd`
  does not last to the next call: give `directory`.
- Nobody answers questions. Use options such as `--yes`, `--no-pager`, `-n`; give input as `stdin`.
- An exit code other than 0 is an answer, not a failure of the tool. `reason` says whether the command was
  ended, and `notes` which limit it ran into.
- A command that takes minutes: say so with `timeout_seconds`, and start it with `background`; after 40
  seconds it becomes a job by itself, and the answer names it. Go on with other work, or wait with
  `send_input`: one call with `until` (words that it will print) and `wait_seconds` 40 instead of many short
  ones. It types too, and stops a job (`key` = `ctrl-c`, or `signal`). `list_jobs` finds it again.
- A program that looks for a terminal (a REPL, a pager, an installer with menus): `terminal` and
  `background` together, and `screen` to see what a person would.
- Of long output the middle is left out. The notes name where it goes on: `read_file` with
  `wand://jobs/<job>/stdout` and an `offset`. Do not run the command a second time to see more of it:
  `first_line` = -50 reads its end, and `search_files` with that path looks in it, of ended jobs too.
- Everything that a command starts ends with it. A server that is to stay belongs into a `background` job of
  its own.
""",
    ),
    _skill(
        "work-within-the-policy",
        "What to do when Wand refuses, asks a person, or cannot tell whether something was done",
        """\
# Work within the policy

Every call is decided by a policy of this host's administrator, and recorded.

- `Denied`: the hint says what is permitted instead. Do that. Writing the same act in other words, through a
  script, an interpreter or another tool, is what the rule is there to prevent; it is seen and recorded. If
  nothing that is permitted serves the purpose, tell the person what you wanted, and why.
- `NeedsApproval`: the message has the approval's number. A person on the host answers; you cannot. Say so, do
  other work, and make the same call again later. The yes is for that act to the letter, once:
  an act with one word changed asks again.
- Ask for little: one program with exact arguments is permitted more often than a long line of shell, and is
  easier to say yes to.
- `Ambiguous`: the link broke while something was done. It may have happened. Look (`list_directory`, `git
  status`, what the command would have left) before you do it again.
- `Exhausted`: too much at once. Wait for what runs.
- `check_command_exists` tells beforehand which programs are there and may be run.
""",
    ),
    _skill(
        "hand-out-work",
        "Hand out tasks to agents that go on while you do something else - their steps or goal, their order",
        """\
# Hand out work

`distribute_task` takes a list of tasks, all or none. Each is done by an agent, under your authority and never
more, while you go on. One task is one thing that stands or falls together; what may go on side by side is
several.

A task is either `steps`, calls of tools that you know beforehand, or a `goal` in words, towards which a model
works with the same tools:

    {"title": "build", "key": "build-42", "steps": [
      {"id": "make", "tool": "execute_command", "arguments": {"argv": ["make"]},
       "expect": {"equals": [{"$from": "make.result.exit_code"}, 0]}},
      {"id": "note", "tool": "write_file", "when": {"not": {"$from": "make.failed"}},
       "arguments": {"path": "out.txt", "content": {"$from": "make.text"}}}]}
    {"title": "look", "goal": "Say why the tests in web/ fail. Change nothing.", "read_only": true}

Of a step: `id`, `tool`, `arguments`, `when` and `expect` (conditions), `for_each` (a list; `{"$item": ""}` is
the item), `after` (ids), `on_error` ("continue" goes on). `{"$from": "ID.result.NAME"}` stands for what a
step gave, `{"$text": ["a ", {"$from": "ID.text"}]}` for a text of parts. Conditions: `{"equals": [A, B]}`,
`contains`, `less`, `exists`, `not`, `all`, `any`. A command that exits with 1 has not failed: say what you
`expect`. Steps that change something are done one after the other.

Beside the work a task may have

- `title`, and `labels` ({"team": "web"})
- `key`: handed out again with the same key, it is the task that is there. Always give one where you might
  have to ask twice
- `after`: keys of tasks before it in the list or of earlier calls, or ids; it begins when those are done
- `priority` (-100 to 100), `delay_seconds`, `deadline_seconds`
- `attempts` (3), `repeatable` (true where doing all of it twice does no harm)
- `needs`: what its agent must be able to do (`list_agents` tells)
- `tools`, `read_only`, `scopes`: fewer rights than you have
- for a goal: `context`, `turns`, `tokens`, `cost_usd`, `seconds`

What it comes to: `done`; `failed` (the message says why); `dead` (all attempts are used up); `cancelled`;
`ambiguous`: something had begun, an agent was lost, and nobody knows whether it took effect. Look, and only
then retry. No act is ever done twice by itself.

`get_project_status` with `wait_seconds` waits for a project's tasks, `manage_tasks` get for one. A task that
is `waiting` needs a person's approval, on the host, and goes on by itself when it is given: say so to yours.
""",
    ),
    _skill(
        "look-into-a-host",
        "Find out what is wrong with a host or a service on it, without changing anything",
        """\
# Look into a host

Change nothing until you can say what is wrong.

1. `get_system_info` and `get_system_status`: which system, how loaded, how full the disks, what bounds
   commands here. A command may see less than the host has: `guarantees` says what.
2. What is it doing: `ps aux --sort=-%cpu`, `free -m`, `df -h`, `ss -ltnp`. One at a time, so that a refusal
   of one does not cost the others.
3. What does it say: the end of the logs first (`journalctl -n 200 --no-pager -u NAME`, or `read_file` of a
   log). Search with `search_files`; it does not read binary files.
4. What was changed last: `git log` in folders of configuration, `ls -lt`, the package manager's log.
5. Say what you found: what you saw, what it means, how sure you are, and the smallest change that would
   help. Let the person decide.
""",
    ),
)
DESCRIBED = tuple(
    ResourceDescription(
        uri=one.uri, name=one.name, title=one.name, description=one.description, mime_type=_KIND
    )
    for one in ALL
)
_FILES = {uri: content for one in ALL for uri, content in one.files}


class BuiltInSkills:
    """The skills that come with Wand; offers `offers.Skills`."""

    def describe(self) -> tuple[SkillDescription, ...]:
        """Every skill, always in the same order."""
        return ALL


def read(uri: str) -> ResourceContent | None:
    """The file of a skill, where there is one of that URI."""
    content = _FILES.get(uri)
    return None if content is None else ResourceContent(uri=uri, mime_type=_KIND, data=content)
