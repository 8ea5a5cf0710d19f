"""The nodes of bash's grammar that are read, what is done with each, and the words that need care."""

import re

from wand_hostagent.policy.shellwords import WORDS
from wand_hostagent.policy.sums import KINDS

# Walked through: what they hold is looked at, and they do nothing of their own.
HOLDS = {
    "program", "list", "pipeline", "subshell", "if_statement",
    "elif_clause", "else_clause", "while_statement", "case_statement", "case_item", "do_group",
    "command_substitution", "process_substitution", "string", "concatenation", "translated_string",
    "variable_assignments", "array",
}  # fmt: skip
INERT = frozenset(
    {
        "word", "number", "raw_string", "ansi_c_string", "variable_name", "special_variable_name", "comment",
        "file_descriptor", "string_content", "regex",
        "extglob_pattern", "test_operator", "brace_expression", "simple_expansion",
    }
)  # fmt: skip
KEYWORDS = frozenset({"if", "then", "elif", "else", "while", "until", "do", "{", "!", "coproc"})
ENDS = frozenset({"}", "fi", "done", "esac"})
STRANDED = ENDS | {"for", "case", "select", "function", "in", "[[", "]]"}
PLAIN_EXPANSION = re.compile(
    r"\$\{#?(?:\w+|[@*#?$!-])(?:\[(?:[@*]|\d+)\])?(?:(?::?[-=?+]|%%?|##?|//?|\^\^?|,,?).*|:\s?-?\d+(?::-?\d+)?)?\}",
    re.DOTALL,
)
STEPS = {
    "command": "_command",
    "negated_command": "_negated",
    "declaration_command": "_declaration",
    "unset_command": "_declaration",
    "function_definition": "_function",
    "redirected_statement": "_redirected_statement",
    "file_redirect": "_lone_redirection",
    "herestring_redirect": "_lone_redirection",
    "variable_assignment": "_lone_assignment",
    "for_statement": "_for",
    "c_style_for_statement": "_c_style_for",
    "arithmetic_expansion": "_arithmetic",
    "subscript": "_subscript",
    "test_command": "_test",
    "expansion": "_expansion",
    "compound_statement": "_compound",
    **dict.fromkeys(KINDS, "_operation"),
}  # the method for each kind of node
NUMBER_BEFORE = re.compile(rb"(?:^|[\s;&|(){}<>])\d+$")
ASSIGNS = re.compile(r"[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=")
WRITES = frozenset({">", ">>", "&>", "&>>", ">|", "<>", ">&"})
NOWHERE = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty"})
APART = WORDS | {
    "command_name",
    "variable_assignment",
    "declare",
    "export",
    "unset",
    "local",
    "typeset",
    "readonly",
}
REDIRECTIONS = frozenset({"file_redirect", "herestring_redirect"})
