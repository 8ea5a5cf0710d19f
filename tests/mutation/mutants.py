"""What can be broken in a module: every mutant of it, as a change to its text.

Left out is what no test should hold fast: what people read (texts with a space in them, messages, hints),
what is
written to a log, annotations, docstrings, decorators, `assert`, and what stands in an f-string.
"""

import ast
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_OPPOSITES: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
}  # fmt: skip
_OTHERS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Mod: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.LShift: ast.RShift,
    ast.RShift: ast.LShift, ast.BitXor: ast.BitOr, ast.Pow: ast.Mult,
}  # fmt: skip
_EITHER_WAY = frozenset({"min", "max"})  # whose arguments may change places
_LOGS = frozenset({"log", "_log", "logger"})
_FOR_PEOPLE = frozenset({"hint", "message", "help", "description", "prog", "metavar", "why"})
_UNTOUCHED = frozenset({"__all__", "__slots__", "__match_args__"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change: `new` in place of the bytes from `start` to `end` of a file."""

    path: str
    function: str  # its full name in the module; "" for what runs when the module is loaded
    line: int  # of the innermost statement
    start: int
    end: int
    kind: str
    old: str
    new: str
    source: str = field(repr=False, default="")  # a digest of the text that this is a change to

    @property
    def name(self) -> str:
        """The same in every run, as long as the text of the module is."""
        told = f"{self.path}\0{self.source}\0{self.start}\0{self.end}\0{self.new}"
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def apply(self, text: bytes) -> bytes:
        """The module's text with this change in it."""
        return text[: self.start] + self.new.encode() + text[self.end :]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the walk is: the function, the line of the statement, what the function returns."""

    function: str = ""
    line: int = 1
    answers_yes_or_no: bool = False
    is_class: bool = False


def mutants(path: str, text: str) -> list[Mutant]:
    """Every mutant of a module, in the order of its text."""
    walk = _Walk(path, text)
    walk.body(ast.parse(text).body, _Place())
    found = {(each.start, each.end, each.new): each for each in walk.found}
    return list(found.values())


def is_python(text: bytes) -> bool:
    """Whether Python can read it; a few changes make what it cannot."""
    try:
        compile(text, "mutant", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


class _Walk:
    def __init__(self, path: str, text: str) -> None:
        self.found: list[Mutant] = []
        self._path = path
        self._text = text.encode()
        self._digest = hashlib.sha256(self._text).hexdigest()[:16]
        self._lines = [0]
        for line in self._text.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def body(self, statements: Sequence[ast.stmt], place: _Place) -> None:
        for number, statement in enumerate(statements):
            is_docstring = number == 0 and isinstance(statement, ast.Expr) and _is_text(statement.value)
            if not is_docstring:
                self._statement(statement, place)

    def _statement(self, node: ast.stmt, above: _Place) -> None:
        place = _Place(above.function, node.lineno, above.answers_yes_or_no, above.is_class)
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._function(node, place)
            case ast.ClassDef():
                inside = f"{above.function}.{node.name}".strip(".")
                self.body(node.body, _Place(inside, node.lineno, is_class=True))
            case ast.Assert() | ast.Import() | ast.ImportFrom():
                pass
            case ast.Assign(targets=[ast.Name(id=name)]) if name in _UNTOUCHED:
                pass
            case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
                pass
            case ast.Expr(value=value) if _is_log(value):
                pass
            case _:
                self._whole(node, place)
                self._parts(node, place)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, place: _Place) -> None:
        for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
            self._expression(default, place)
        inside = f"{place.function}.{node.name}".strip(".")
        yes_or_no = isinstance(node.returns, ast.Name) and node.returns.id == "bool"
        self.body(node.body, _Place(inside, node.lineno, yes_or_no))

    def _parts(self, node: ast.AST, place: _Place) -> None:
        """What a statement consists of: other statements, and expressions."""
        for name, value in ast.iter_fields(node):
            for each in value if isinstance(value, list) else [value]:
                match each:
                    case ast.stmt():
                        self._statement(each, place)
                    case ast.expr() if name != "annotation":
                        self._expression(each, place)
                    case ast.AST():
                        self._parts(each, place)

    def _whole(self, node: ast.stmt, place: _Place) -> None:
        """Mutants of the statement as one."""
        if isinstance(node, ast.Return):
            self._return(node, place)
        elif new := _left_out(node, in_function=bool(place.function) and not place.is_class):
            self._add(node, place, "raise" if isinstance(node, ast.Raise) else "statement", new)
        if isinstance(node, ast.AugAssign) and (other := _OTHERS.get(type(node.op))):
            changed = ast.AugAssign(target=node.target, op=other(), value=node.value)
            self._add(node, place, "arithmetic", ast.unparse(ast.fix_missing_locations(changed)))
        if isinstance(node, ast.If):
            self._condition(node.test, place)

    def _return(self, node: ast.Return, place: _Place) -> None:
        if node.value is not None and not isinstance(node.value, ast.Constant):
            no = f"return not ({ast.unparse(node.value)})"
            self._add(node, place, "return", no if place.answers_yes_or_no else "return None")

    def _condition(self, test: ast.expr, place: _Place) -> None:
        if not isinstance(test, ast.Compare | ast.BoolOp) and not _is_not(test):
            self._add(test, place, "condition", f"(not {ast.unparse(test)})")

    def _expression(self, node: ast.expr, place: _Place) -> None:
        if isinstance(node, ast.JoinedStr):
            return
        for kind, new in _changes(node):
            self._add(node, place, kind, new)
        if isinstance(node, ast.IfExp):
            self._condition(node.test, place)
        for each in ast.iter_child_nodes(node):
            if isinstance(each, ast.expr):
                self._expression(each, place)
            elif isinstance(each, ast.keyword) and each.arg not in _FOR_PEOPLE:
                self._expression(each.value, place)
            elif isinstance(each, ast.comprehension | ast.arguments):
                self._parts(each, place)

    def _add(self, node: ast.expr | ast.stmt, place: _Place, kind: str, new: str) -> None:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._lines[node.lineno - 1] + node.col_offset
        end = self._lines[node.end_lineno - 1] + node.end_col_offset
        self.found.append(
            Mutant(
                path=self._path, function="" if place.is_class else place.function, line=place.line,
                start=start,
                end=end, kind=kind, old=self._text[start:end].decode(), new=new, source=self._digest,
            )
        )  # fmt: skip


def _left_out(node: ast.stmt, *, in_function: bool) -> str:
    """What stands in place of a statement that is left out; empty where it is none to leave out."""
    match node:
        case ast.Raise() | ast.Break():
            return "pass"
        case ast.Continue():
            return "break"
        case ast.Expr(value=ast.Call() | ast.Await()) | ast.AugAssign() | ast.Delete() if in_function:
            return "pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]) if in_function:
            return "pass"
        case _:
            return ""


def _changes(node: ast.expr) -> Iterator[tuple[str, str]]:
    """What may stand in place of an expression."""
    match node:
        case ast.Compare():
            yield from _comparisons(node)
        case ast.BoolOp():
            other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield "boolean", f"({ast.unparse(ast.BoolOp(op=other, values=node.values))})"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "boolean", f"({ast.unparse(operand)})"
        case ast.BinOp(left=left, op=op, right=right) if not (_is_text(left) or _is_text(right)):
            changed = ast.BinOp(left=left, op=_OTHERS.get(type(op), ast.Add)(), right=right)
            yield "arithmetic", f"({ast.unparse(changed)})"
        case ast.Constant(value=value):
            yield from (("constant", each) for each in _constants(value))
        case ast.Call(args=[first, second, *_]) if not isinstance(first, ast.Starred) and not _same(
            first, second
        ):
            if isinstance(node.func, ast.Name) and node.func.id in _EITHER_WAY:
                return
            swapped = ast.Call(func=node.func, args=[second, first, *node.args[2:]], keywords=node.keywords)
            yield "arguments", ast.unparse(swapped)


def _comparisons(node: ast.Compare) -> Iterator[tuple[str, str]]:
    for number, op in enumerate(node.ops):
        for other in _OPPOSITES[type(op)]:
            ops = [*node.ops[:number], other(), *node.ops[number + 1 :]]
            changed = ast.Compare(left=node.left, ops=ops, comparators=node.comparators)
            yield "comparison", f"({ast.unparse(changed)})"


def _constants(value: object) -> Iterator[str]:
    match value:
        case bool():
            yield repr(not value)
        case int() | float():
            yield repr(value + 1)
        case str() if " " not in value.strip(" "):
            yield repr(f"X{value}")
        case bytes() if b" " not in value.strip(b" "):
            yield repr(b"X" + value)


def _same(one: ast.expr, other: ast.expr) -> bool:
    return ast.dump(one) == ast.dump(other)


def _is_not(node: ast.expr) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_log(node: ast.expr) -> bool:
    """Whether it is a call as `log.info(...)`, or as `self._log.info(...)`."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    owner = node.func.value
    name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
    return name in _LOGS
