"""Rule bodies as SQL.

    Tables              the tables of facts and of derived predicates, made when first named
    Tables.relation     the tables and statements of one Call (`knowledge/demand.py`)
    Tables.body         a body: what must be derived before each of its atoms, then its FROM and WHERE

Tables, each with columns c0, c1, ... and every row once:

    fN   facts of a predicate
    aN   answers of a derived predicate for the values given so far
    iN   the values given so far; one column of zeros where none are
    nN   values given that are being derived now
    dN   xN   of a predicate that recurs: rows found in the last round, and in this one

Joins are written in the order of the body and stay in it (CROSS JOIN), with an index for each way a table
is looked into.  Constants are in the text; a statement without any is prepared once.

May not know: when facts change, budgets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from multikernel.errors import KnowledgeError
from multikernel.knowledge.demand import Call, Demand
from multikernel.knowledge.ir import Aggregate, Arithmetic, Atom, Compare, Expression, Literal, Not, Rule, Var

LEAST, MOST = -(2**63), 2**63 - 1
_FUNCTIONS = {"+": "mk_add", "-": "mk_sub", "*": "mk_mul"}
_OPERATORS = {"==": "=", "!=": "<>"}


@dataclass(frozen=True, slots=True)
class Need:
    """Before a join goes on: give `into` the values that `statement` selects."""

    statement: str
    into: Relation


@dataclass(slots=True)
class Body:
    """A body as far as it was read."""

    env: dict[Var, str]
    tables: list[str]
    conditions: list[str] = field(default_factory=list)
    needs: list[Need] = field(default_factory=list)

    def select(self, columns: Sequence[str], tail: str = "") -> str:
        """Its rows, each once."""
        where = f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""
        source = f" FROM {' CROSS JOIN '.join(self.tables)}" if self.tables else ""
        return f"SELECT DISTINCT {', '.join(columns)}{source}{where}{tail}"


@dataclass(frozen=True, slots=True)
class Derive:
    """One rule of a relation."""

    needs: tuple[Need, ...]
    statement: str


@dataclass(slots=True)
class Relation:
    """A derived predicate asked in one way: its tables are aN, iN, nN, dN, xN for its `number`."""

    number: int
    predicate: str
    bound: tuple[int, ...]
    once: list[Derive] = field(default_factory=list)
    again: list[Derive] = field(default_factory=list)


class Tables:
    """See the module.  `execute` runs one statement at once."""

    def __init__(self, demand: Demand, execute: Callable[[str], object], facts: dict[str, str]) -> None:
        self._demand, self._execute, self._facts = demand, execute, facts
        self._relations: dict[Call, Relation] = {}
        self._indexes: dict[tuple[str, tuple[int, ...]], None] = {}

    @property
    def relations(self) -> Mapping[Call, Relation]:
        return self._relations

    def drop(self) -> None:
        """Forget what is derived."""
        for relation in self._relations.values():
            for letter in "ain" + ("dx" if relation.again else ""):
                self._execute(f"DROP TABLE {letter}{relation.number}")
        self._relations.clear()

    def facts(self, predicate: str) -> str:
        """The table of a predicate's facts."""
        if predicate not in self._facts:
            name = self._facts[predicate] = f"f{len(self._facts)}"
            self._create(name, range(self._demand.arity[predicate]))
        return self._facts[predicate]

    def _create(self, name: str, key: Sequence[int]) -> None:
        columns = ", ".join(f"c{i}" for i in sorted(key) or [0])
        order = ", ".join(f"c{i}" for i in key or [0])
        self._execute(f"CREATE TABLE {name}({columns}, PRIMARY KEY ({order})) WITHOUT ROWID")

    def relation(self, call: Call) -> Relation:
        """Its tables and statements."""
        known = self._relations.get(call)
        if known is not None:
            return known
        relation = self._relations[call] = Relation(len(self._relations), *call)
        number, arity = relation.number, self._demand.arity[call.predicate]
        rest = [i for i in range(arity) if i not in call.bound]
        self._create(f"a{number}", [*call.bound, *rest])
        for letter in "in":
            self._create(f"{letter}{number}", range(len(call.bound)))
        rules = self._demand.rules[call.predicate]
        recursive = [rule for rule in rules if any(self._recurs(rule, literal) for literal in rule.body)]
        into = "d" if recursive else "a"
        for letter in "dx" if recursive else "":
            self._create(f"{letter}{number}", range(arity))
        relation.once = [self._known(relation, into)]
        relation.once += [self._rule(rule, relation, into) for rule in rules if rule not in recursive]
        relation.again = [self._round(rule, relation) for rule in recursive]
        return relation

    def _recurs(self, rule: Rule, literal: Literal) -> bool:
        return isinstance(literal, Atom) and literal.predicate == rule.name

    def _known(self, relation: Relation, into: str) -> Derive:
        """Facts of the predicate itself."""
        terms = tuple(Var(f"V{i}") for i in range(self._demand.arity[relation.predicate]))
        body = self._given(relation, terms)
        columns = self._look(body, self.facts(relation.predicate), terms)
        return Derive((), f"INSERT OR IGNORE INTO {into}{relation.number} {body.select(columns)}")

    def _given(self, relation: Relation, terms: Sequence[Expression]) -> Body:
        """A body that begins with the values given to the head's columns."""
        name = f"n{relation.number}"
        body = Body({}, [name])
        for index, column in enumerate(relation.bound):
            self._match(body, f"{name}.c{index}", terms[column])
        return body

    def _rule(self, rule: Rule, relation: Relation, into: str) -> Derive:
        body = self._given(relation, rule.head.terms)
        self.read(body, rule.body)
        keys = [self._expression(term, body.env) for term in rule.head.terms]
        if rule.aggregate is None:
            found = body.select(keys or ["0"])
        else:
            keys = [self._expression(term, body.env) for term in rule.head.terms[:-1]]
            found = self._aggregate(rule.aggregate, keys, body)
        return Derive(tuple(body.needs), f"INSERT OR IGNORE INTO {into}{relation.number} {found}")

    def _round(self, rule: Rule, relation: Relation) -> Derive:
        """The rule over the rows of the last round in place of its call of itself."""
        itself = next(lit for lit in rule.body if isinstance(lit, Atom) and lit.predicate == rule.name)
        rest = list(rule.body)
        rest.remove(itself)
        body = Body({}, [])
        self._look(body, f"d{relation.number}", itself.terms)
        self.read(body, rest)
        keys = [self._expression(term, body.env) for term in rule.head.terms]
        new = f"{body.select(keys or ['0'])} EXCEPT SELECT * FROM a{relation.number}"
        return Derive(tuple(body.needs), f"INSERT OR IGNORE INTO x{relation.number} {new}")

    def _aggregate(self, aggregate: Aggregate, keys: Sequence[str], body: Body) -> str:
        """One row a key; `v0` is the value."""
        names = aggregate.variables
        columns = [f"{key} AS k{i}" for i, key in enumerate(keys)]
        columns += [f"{body.env[variable]} AS v{i}" for i, variable in enumerate(names)]
        rows = body.select(columns)
        grouped = ", ".join(f"k{i}" for i in range(len(keys)))
        if aggregate.function in ("sum", "len"):
            result = "sum(v0)" if aggregate.function == "sum" else "count(*)"
            by = f" GROUP BY {grouped}" if keys else ""
            return f"SELECT {', '.join([*filter(None, [grouped]), result])} FROM ({rows}){by} HAVING count(*) > 0"
        backwards = aggregate.function == "max"
        order = ", ".join(
            f"v{names.index(key.variable)} {'DESC' if key.descending != backwards else 'ASC'}"
            for key in aggregate.order
        )
        over = f"PARTITION BY {grouped} ORDER BY {order}" if keys else f"ORDER BY {order}"
        ranked = f"SELECT *, row_number() OVER ({over}) AS place FROM ({rows})"
        return f"SELECT {', '.join([*filter(None, [grouped]), 'v0'])} FROM ({ranked}) WHERE place = 1"

    # Bodies

    def read(self, body: Body, literals: Sequence[Literal]) -> None:
        """Go on with a body."""
        for literal in self._demand.ordered(literals, body.env):
            match literal:
                case Atom(predicate=name, terms=terms):
                    self._look(body, self._table(body, literal), terms)
                case Not(atom=atom):
                    tests = [f"x.c{i} = {self._expression(term, body.env)}" for i, term in enumerate(atom.terms)]
                    where = f" WHERE {' AND '.join(tests)}" if tests else ""
                    body.conditions.append(f"NOT EXISTS (SELECT 1 FROM {self._table(body, atom)} AS x{where})")
                case Compare(operator="==", left=Var() as name, right=right) if name not in body.env:
                    body.env[name] = self._expression(right, body.env)
                case Compare(operator="==", left=left, right=Var() as name) if name not in body.env:
                    body.env[name] = self._expression(left, body.env)
                case Compare(operator=operator, left=left, right=right):
                    sides = (self._expression(left, body.env), self._expression(right, body.env))
                    body.conditions.append(f" {_OPERATORS.get(operator, operator)} ".join(sides))

    def _table(self, body: Body, atom: Atom) -> str:
        """The table of an atom's rows; of a derived one they are needed first."""
        if atom.predicate not in self._demand.rules:
            return self.facts(atom.predicate)
        call = self._demand.call(atom, body.env)
        relation = self.relation(call)
        given = [self._expression(atom.terms[column], body.env) for column in call.bound]
        rows = body.select(given) if given else f"SELECT * FROM ({body.select(['0'], ' LIMIT 1')})"
        statement = f"INSERT OR IGNORE INTO n{relation.number} {rows} EXCEPT SELECT * FROM i{relation.number}"
        body.needs.append(Need(statement, relation))
        return f"a{relation.number}"

    def _look(self, body: Body, table: str, terms: Sequence[Expression]) -> list[str]:
        """Join a table; the expressions of its columns."""
        alias = f"t{len(body.tables)}"
        body.tables.append(f"{table} AS {alias}")
        looked = tuple(i for i, term in enumerate(terms) if not isinstance(term, Var) or term in body.env)
        self._index(table, looked, len(terms))
        for i, term in enumerate(terms):
            self._match(body, f"{alias}.c{i}", term)
        return [f"{alias}.c{i}" for i in range(len(terms))] or ["0"]

    def _match(self, body: Body, column: str, term: Expression) -> None:
        if isinstance(term, Var) and term not in body.env:
            body.env[term] = column
        else:
            body.conditions.append(f"{column} = {self._expression(term, body.env)}")

    def _index(self, table: str, columns: tuple[int, ...], arity: int) -> None:
        """A way into a table of facts by some of its columns; the others have a key that fits."""
        if not table.startswith("f") or columns == tuple(range(len(columns))) or (table, columns) in self._indexes:
            return
        self._indexes[table, columns] = None
        listed = ", ".join(f"c{i}" for i in (*columns, *(i for i in range(arity) if i not in columns)))
        name = f"{table}_{'_'.join(map(str, columns))}"
        self._execute(f"CREATE INDEX IF NOT EXISTS {name} ON {table}({listed})")

    def _expression(self, item: Expression, env: Mapping[Var, str]) -> str:
        match item:
            case Var():
                return env.get(item, "NULL")
            case Arithmetic(operator=operator, left=left, right=right):
                sides = f"{self._expression(left, env)}, {self._expression(right, env)}"
                return f"{_FUNCTIONS[operator]}({sides})"
            case int():
                return str(fitting(item))
            case str():
                return " || char(0) || ".join("'" + part.replace("'", "''") + "'" for part in item.split("\0"))


def fitting(number: int) -> int:
    """The number.  Raises KnowledgeError if it does not fit 64 bits."""
    if not LEAST <= number <= MOST:
        raise KnowledgeError(
            f"{number} does not fit SQLite's integers, which end at {LEAST} and {MOST}; "
            "use a larger unit, or another backend under bind: {skb: ...}"
        )
    return number
