"""Rule text -> ir.  A subset of pyDatalog's syntax, read by `ast` and never executed.

    + shared("l3", 0)                                            a fact
    near(A, B) <= node(A, N) & node(B, N) & ~same(A, B)          a rule; `&` between conditions
    far(A, B) <= distance(A, B, D) & (D > 2 * 10)                comparisons in parentheses; + - *
    (best[A] == min_(B, order_by=(D, B))) <= distance(A, B, D)   min_ max_ sum_ len_ as heads
    twice(A, B) <= (best[A] == B) & ...                          f[A] == B is the atom f(A, B)

Variables begin with a capital, `_` is any value, constants are integers and quoted strings.

Interface: `parse_rules(text, file)`, `parse_condition(text, file)`.  Both report every mistake of
the text at once, as KnowledgeError.

May not know: which predicates there are (that is `check`).
"""

from __future__ import annotations

import ast
from typing import NoReturn

from multikernel.errors import Diagnostic, KnowledgeError
from multikernel.knowledge.ir import (
    Aggregate,
    Arithmetic,
    Atom,
    Compare,
    Comparison,
    Expression,
    Literal,
    Not,
    Operator,
    Order,
    Rule,
    Term,
    Var,
    Where,
)

MAX_TEXT = 1_000_000
"""Characters of one rule text; far beyond any policy, below what would hurt `ast`."""

_COMPARISONS: dict[type[ast.cmpop], Comparison] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_OPERATORS: dict[type[ast.operator], Operator] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}


def parse_rules(text: str, file: str, line: int = 1) -> tuple[Rule, ...]:
    """The rules of `text`; a fact is a rule with an empty body.  `line` is where text begins in file."""
    reader = _Reader(text, file, line)
    rules = [rule for node in reader.statements() if (rule := reader.rule(node)) is not None]
    reader.finish()
    return tuple(rules)


def parse_condition(text: str, file: str, line: int = 1) -> tuple[Literal, ...]:
    """The literals of one conjunction (a goal, a `requires`); empty text is the empty conjunction."""
    if not text.strip():
        return ()
    several = "\n" in text.strip()  # lines join within parentheses only
    reader = _Reader(f"({text}\n)" if several else text.strip(), file, line, shift=int(several))
    statements = reader.statements()
    literals = reader.condition(statements[0]) if len(statements) == 1 else ()
    if len(statements) > 1:
        reader.note(statements[1], "one-condition", "a condition is one conjunction", fix="join with &")
    reader.finish()
    return literals


class _Refused(Exception):
    """A statement cannot be read; its diagnostic is noted already."""


class _Reader:
    """Reads one text and collects its mistakes; `shift` columns were put before its first line."""

    def __init__(self, text: str, file: str, line: int, shift: int = 0) -> None:
        self._text, self._file, self._line, self._shift = text, file, line, shift
        self._lines = text.splitlines()
        self._diagnostics: list[Diagnostic] = []
        self._anonymous = 0

    def finish(self) -> None:
        if self._diagnostics:
            raise KnowledgeError("the rules cannot be read", tuple(self._diagnostics))

    def statements(self) -> list[ast.expr]:
        if len(self._text) > MAX_TEXT:
            self._at(1, 1, "too-long", f"rule text of {len(self._text)} characters; at most {MAX_TEXT}")
            return []
        try:
            body = ast.parse(self._text, self._file).body
        except SyntaxError as error:
            self._at(error.lineno or 1, error.offset or 1, "syntax", error.msg)
            return []
        except (ValueError, RecursionError, MemoryError) as error:
            self._at(1, 1, "syntax", f"not readable as rules: {str(error) or type(error).__name__}")
            return []
        expressions = []
        for node in body:
            if isinstance(node, ast.Expr):
                expressions.append(node.value)
            else:
                self.note(node, "not-a-rule", f"{_word(node)} is not a rule", fix="write head <= body, or + fact")
        return expressions

    # Statements

    def rule(self, node: ast.expr) -> Rule | None:
        try:
            return self._rule(node)
        except _Refused:
            return None
        except RecursionError:
            self.note(node, "syntax", "nested too deeply")
            return None

    def condition(self, node: ast.expr) -> tuple[Literal, ...]:
        try:
            return self._body(node)
        except _Refused:
            return ()
        except RecursionError:
            self.note(node, "syntax", "nested too deeply")
            return ()

    def _rule(self, node: ast.expr) -> Rule:
        text = self._source(node)
        where = self._where(node)
        match node:
            case ast.UnaryOp(op=ast.UAdd(), operand=ast.Call() as call):
                return Rule(self._atom(call), (), None, where, text)
            case ast.Compare(left=head, ops=[ast.LtE()], comparators=[body]):
                atom, aggregate = self._head(head)
                return Rule(atom, self._body(body), aggregate, where, text)
            case ast.Compare(ops=[ast.Eq(), ast.LtE()]):
                self._refuse(node, "bare-head", "the head f[X] == ... needs parentheses",
                             fix="write (f[X] == ...) <= body")  # fmt: skip
            case ast.Compare(ops=ops) if len(ops) > 1:
                self._refuse(node, "bare-comparison", "a comparison in a body needs parentheses",
                             fix="write (X < Y)")  # fmt: skip
            case ast.Call():
                self._refuse(node, "bare-fact", "a fact is written with +", fix=f"write + {text}")
            case ast.Tuple() | ast.BoolOp():
                self._refuse_conjunction(node)
        return self._refuse(node, "not-a-rule", f"{_word(node)} is not a rule", fix="write head <= body, or + fact")

    def _head(self, node: ast.expr) -> tuple[Atom, Aggregate | None]:
        match node:
            case ast.Call():
                return self._atom(node), None
            case ast.Compare(left=ast.Subscript() as left, ops=[ast.Eq()], comparators=[ast.Call() as call]):
                aggregate = self._aggregate(call)
                atom = self._atom(left)
                return Atom(atom.predicate, (*atom.terms, Var("=")), atom.where), aggregate
            case ast.Compare(left=ast.Subscript() as left, ops=[ast.Eq()], comparators=[value]):
                atom = self._atom(left)
                return Atom(atom.predicate, (*atom.terms, self._term(value)), atom.where), None
        return self._refuse(node, "head", f"a head is p(X, ...) or (f[X, ...] == ...), not {_word(node)}")

    def _body(self, node: ast.expr) -> tuple[Literal, ...]:
        parts: list[ast.expr] = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd):
            parts.append(node.right)
            node = node.left
        literals: list[Literal] = []
        for part in (node, *reversed(parts)):
            if isinstance(part, ast.BinOp) and isinstance(part.op, ast.BitAnd):
                literals.extend(self._body(part))
            else:
                literals.append(self._literal(part))
        return tuple(literals)

    def _literal(self, node: ast.expr) -> Literal:
        match node:
            case ast.Call():
                return self._atom(node)
            case ast.UnaryOp(op=ast.Invert(), operand=operand):
                inner = self._literal(operand)
                if isinstance(inner, Atom):
                    return Not(inner)
                self._refuse(node, "negation", "~ stands before an atom only")
            case ast.UnaryOp(op=ast.Not()):
                self._refuse(node, "negation", "negation is ~", fix="write ~p(X)")
            case ast.Compare(ops=[operator], comparators=[right], left=left):
                return self._comparison(node, left, operator, right)
            case ast.Compare():
                self._refuse(node, "bare-comparison", "one comparison at a time, each in parentheses",
                             fix="write (X < Y) & (Y < Z)")  # fmt: skip
            case ast.BoolOp() | ast.Tuple():
                self._refuse_conjunction(node)
            case ast.BinOp(op=ast.BitOr()):
                self._refuse(node, "disjunction", "there is no |", fix="write one rule for each alternative")
        return self._refuse(node, "condition", f"{_word(node)} is not a condition", fix="write p(X), ~p(X) or (X < Y)")

    def _comparison(self, node: ast.expr, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Literal:
        symbol = _COMPARISONS.get(type(operator))
        if symbol is None:
            self._refuse(node, "comparison", f"{type(operator).__name__} is not a comparison here",
                         fix="use == != < <= > >=")  # fmt: skip
        if isinstance(left, ast.Subscript):
            if symbol != "==":
                self._refuse(node, "comparison", "f[X] is compared by == only",
                             fix=f"write (f[X] == Y) & (Y {symbol} ...)")  # fmt: skip
            atom = self._atom(left)
            return Atom(atom.predicate, (*atom.terms, self._term(right)), atom.where)
        return Compare(symbol, self._expression(left), self._expression(right), self._where(node))

    def _aggregate(self, node: ast.Call) -> Aggregate:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in ("min_", "max_", "sum_", "len_") or len(node.args) != 1:
            self._refuse(node, "aggregate", "an aggregate is min_, max_, sum_ or len_ of one variable")
        value = self._variable(node.args[0])
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        wanted = {"min_": "order_by", "max_": "order_by", "sum_": "for_each"}.get(name)
        if set(given) != ({wanted} if wanted else set()):
            self._refuse(node, "aggregate", f"{name} takes {f'{wanted}=(...)' if wanted else 'no keyword'}")
        if wanted == "order_by":
            order = tuple(self._order(item) for item in _items(given["order_by"]))
            return Aggregate("min" if name == "min_" else "max", value, order=order)
        if wanted == "for_each":
            each = tuple(self._variable(item) for item in _items(given["for_each"]))
            return Aggregate("sum", value, for_each=each)
        return Aggregate("len", value)

    def _order(self, node: ast.expr) -> Order:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return Order(self._variable(node.operand), True)
        return Order(self._variable(node), False)

    # Terms

    def _atom(self, node: ast.Call | ast.Subscript) -> Atom:
        if isinstance(node, ast.Call):
            function, arguments = node.func, node.args
            if node.keywords:
                self._refuse(node, "atom", "an atom takes no keywords")
        else:
            function, arguments = node.value, _items(node.slice)
        if not isinstance(function, ast.Name) or not function.id[:1].islower() or function.id.endswith("_"):
            self._refuse(function, "atom", "a predicate's name is a lower-case word")
        return Atom(function.id, tuple(self._term(item) for item in arguments), self._where(node))

    def _term(self, node: ast.expr) -> Term:
        expression = self._expression(node)
        if isinstance(expression, Arithmetic):
            self._refuse(node, "term", "arithmetic stands in comparisons only", fix="write (Y == X + 1) & p(Y)")
        return expression

    def _variable(self, node: ast.expr) -> Var:
        term = self._term(node)
        if not isinstance(term, Var) or term.name.startswith("_"):
            self._refuse(node, "aggregate", "an aggregate reads named variables only")
        return term

    def _expression(self, node: ast.expr) -> Expression:
        match node:
            case ast.Name(id="_"):
                self._anonymous += 1
                return Var(f"_{self._anonymous}")
            case ast.Name(id=name) if name[0].isupper():
                return Var(name)
            case ast.Name(id=name):
                self._refuse(node, "bare-word", f"{name} is neither a variable nor a constant",
                             fix=f'write "{name}" or {name.capitalize()}')  # fmt: skip
            case ast.Constant(value=bool() | float() | complex()):
                self._refuse(node, "constant", f"{ast.unparse(node)} is neither an integer nor a string",
                             fix="use integers, in a smaller unit if need be")  # fmt: skip
            case ast.Constant(value=int() | str() as value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as value)) if type(value) is int:
                return -value
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
                return Arithmetic(_OPERATORS[type(operator)], self._expression(left), self._expression(right))
            case ast.BinOp(op=ast.FloorDiv() | ast.Div() | ast.Mod() | ast.Pow()):
                self._refuse(node, "operator", "no division, remainder or power: backends round differently",
                             fix="multiply the other side instead")  # fmt: skip
        return self._refuse(node, "term", f"{_word(node)} is not a term", fix="use a variable, an integer or a string")

    # Mistakes

    def note(self, node: ast.AST, code: str, message: str, fix: str = "") -> None:
        self._diagnostics.append(Diagnostic(*self._where(node), code, message, fix=fix))

    def _refuse(self, node: ast.AST, code: str, message: str, fix: str = "") -> NoReturn:
        self.note(node, code, message, fix)
        raise _Refused

    def _refuse_conjunction(self, node: ast.AST) -> NoReturn:
        self._refuse(node, "conjunction", "conditions are joined by &, not by a comma, `and` or `or`")

    def _source(self, node: ast.expr) -> str:
        """The text of a node.  (`ast.get_source_segment` reads all of the text for each.)"""
        lines = [line.encode() for line in self._lines[node.lineno - 1 : node.end_lineno]]
        lines[-1] = lines[-1][: node.end_col_offset]
        lines[0] = lines[0][node.col_offset :]
        return "\n".join(line.decode(errors="replace") for line in lines)

    def _where(self, node: ast.AST) -> Where:
        line, offset = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        before = self._lines[line - 1].encode()[:offset].decode(errors="replace")
        return self._place(line, len(before) + 1)

    def _place(self, line: int, column: int) -> Where:
        """The place in the file of a place in the text."""
        return Where(self._file, line + self._line - 1, column - self._shift * (line == 1))

    def _at(self, line: int, column: int, code: str, message: str) -> None:
        self._diagnostics.append(Diagnostic(*self._place(line, column), code, message))


def _items(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]


def _word(node: ast.AST) -> str:
    """What a reader would call a node."""
    return f"this {type(node).__name__.lower()}"
