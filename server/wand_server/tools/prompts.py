"""Prompts: what a person can ask an agent to do here, written so that it uses the tools well."""

from collections.abc import Mapping
from dataclasses import dataclass

from wand_proto.errors import Invalid, NotFound
from wand_server.model import PromptArgument, PromptDescription


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt and its text; each argument stands in it as {name}."""

    description: PromptDescription
    text: str


CHECK_HOST = Prompt(
    description=PromptDescription(
        name="check-host",
        title="Check this host",
        description="Find out how this host fares and what needs attention, changing nothing.",
        arguments=(
            PromptArgument(
                name="focus",
                description="what to look at first",
                choices=("everything", "cpu", "memory", "disk", "network", "services", "logs"),
            ),
        ),
    ),
    text="""\
Find out how this host fares. Look at {focus} first. Change nothing.

1. Call get_system_info and get_system_status.
2. Look closer with read-only commands (for example ps, df, du, ss, journalctl, systemctl status), one \
question at a time. \
What the policy refuses, leave out and say so.
3. Report in order of urgency: what you saw (with the figure), why it matters, and the one command that \
would mend it. \
Do not run that command.""",
)
FIX_TESTS = Prompt(
    description=PromptDescription(
        name="fix-tests",
        title="Make the tests pass",
        description="Run a project's tests, find the cause of what fails and mend it.",
        arguments=(
            PromptArgument(name="folder", description="the project, relative to the workspace"),
            PromptArgument(
                name="command", description="how its tests are run; found out where it is not given"
            ),
        ),
    ),
    text="""\
Make the tests of the project in the folder {folder} pass. They are run with: {command}.

1. Look at the project with list_directory and read_file before you change anything.
2. Run the tests with execute_command in that folder. Read on in long output as the result says.
3. Find the cause of the first failure. Mend the cause and never the test, unless the test is wrong: then \
say why.
4. Edit with write_file, giving the sha256 that you have read, and run the tests again.
5. End with what was wrong, what you changed (as a diff), and the last run's summary.""",
)
REVIEW_CHANGES = Prompt(
    description=PromptDescription(
        name="review-changes",
        title="Review what changed",
        description="Read what a repository has changed and not committed, or since a revision, strictly.",
        arguments=(
            PromptArgument(name="folder", description="the repository, relative to the workspace"),
            PromptArgument(name="since", description="a revision, such as main; HEAD where it is not given"),
        ),
    ),
    text="""\
Review the changes of the repository in the folder {folder} since {since}. Change nothing.

1. Run git status and git diff {since} with execute_command; read the files around each change, not the \
diff alone.
2. For each finding: file and line, what is wrong, how it shows (an input, a sequence), how to mend it. \
The gravest first.
3. Look for what would run with a person's rights later: hooks, Makefiles, install scripts, workflow \
files, new dependencies.
4. Say what you did not look at.""",
)
ALL = (CHECK_HOST, FIX_TESTS, REVIEW_CHANGES)
_UNSAID = {
    "focus": "everything",
    "folder": ". (the workspace)",
    "command": "(find out how, from its files)",
    "since": "HEAD",
}


class BuiltInPrompts:
    """Those above; offers `ports.Prompts`."""

    def __init__(self) -> None:
        self._prompts = {prompt.description.name: prompt for prompt in ALL}

    def describe(self) -> tuple[PromptDescription, ...]:
        """Every prompt, always in the same order."""
        return tuple(prompt.description for prompt in self._prompts.values())

    def get(self, name: str, arguments: Mapping[str, str]) -> str:
        """The text of a prompt, its blanks filled.

        Raises:
            NotFound: there is no such prompt.
            Invalid: an argument is missing or unknown.
        """
        prompt = self._prompts.get(name)
        if prompt is None:
            known = ", ".join(self._prompts)
            raise NotFound(f"there is no prompt {name[:80]!r}", hint=f"there are: {known}", field="name")
        known_arguments = [argument.name for argument in prompt.description.arguments]
        for unknown in arguments.keys() - set(known_arguments):
            raise Invalid(
                "is no argument of this prompt",
                hint=f"there are: {', '.join(known_arguments)}",
                field=unknown,
            )
        filled = {name: arguments.get(name) or _UNSAID[name] for name in known_arguments}
        return prompt.text.format(**filled)
