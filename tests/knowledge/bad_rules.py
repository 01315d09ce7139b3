"""Rule texts that are refused, each with the exact messages."""

BAD = {
    "misspelt": (
        "p(X) <= egde(X, _)",
        ["bad.dl:1:9: unknown-predicate: no predicate 'egde' is declared or derived (did you mean edge?)"],
    ),
    "arity": ("p(X) <= edge(X)", ["bad.dl:1:9: arity: edge has 2 columns, here 1"]),
    "head arity": (
        "p(X) <= edge(X, _)\np(X, Y) <= edge(X, Y)",
        ["bad.dl:2:1: arity: p has 1 columns, here 2"],
    ),
    "comma": (
        "p(X) <= edge(X, _), edge(X, _)",
        ["bad.dl:1:1: conjunction: conditions are joined by &, not by a comma, `and` or `or`"],
    ),
    "and": (
        "p(X) <= edge(X, _) and edge(X, _)",
        ["bad.dl:1:1: conjunction: conditions are joined by &, not by a comma, `and` or `or`"],
    ),
    "or": (
        "p(X) <= edge(X, _) | edge(_, X)",
        ["bad.dl:1:9: disjunction: there is no |; write one rule for each alternative"],
    ),
    "bare comparison": (
        "p(X) <= edge(X, Y) & X < Y",
        ["bad.dl:1:1: bare-comparison: a comparison in a body needs parentheses; write (X < Y)"],
    ),
    "not": ("p(X) <= edge(X, _) & (not edge(X, X))", ["bad.dl:1:23: negation: negation is ~; write ~p(X)"]),
    "division": (
        "p(Y) <= edge(X, _) & (Y == X // 2)",
        [
            "bad.dl:1:28: operator: no division, remainder or power: backends round differently; "
            "multiply the other side instead"
        ],
    ),
    "float": (
        "p(X) <= edge(X, 1.5)",
        ["bad.dl:1:17: constant: 1.5 is neither an integer nor a string; use integers, in a smaller unit if need be"],
    ),
    "bool": (
        "p(X) <= edge(X, True)",
        ["bad.dl:1:17: constant: True is neither an integer nor a string; use integers, in a smaller unit if need be"],
    ),
    "bare word": (
        "p(X) <= name(X, bob)",
        ['bad.dl:1:17: bare-word: bob is neither a variable nor a constant; write "bob" or Bob'],
    ),
    "arithmetic in an atom": (
        "p(X) <= edge(X, X + 1)",
        ["bad.dl:1:17: term: arithmetic stands in comparisons only; write (Y == X + 1) & p(Y)"],
    ),
    "unsafe head": (
        "p(X, Y) <= edge(X, _) & (Y > X)",
        [
            "bad.dl:1:26: unsafe: Y of (Y > X) is not bound by an atom; bind it in an atom of the body",
        ],
    ),
    "unsafe negation": (
        "p(X) <= edge(X, _) & ~edge(X, Y) & (Y == Y)",
        [
            "bad.dl:1:23: unsafe: Y of ~edge(X, Y) is not bound by an atom; bind it in an atom of the body",
            "bad.dl:1:37: unsafe: Y of (Y == Y) is not bound by an atom; bind it in an atom of the body",
        ],
    ),
    "used once": (
        "p(Node) <= edge(Node, Nod)",
        ["bad.dl:1:1: used-once: Nod occurs once (did you mean Node?); write _ if that is meant"],
    ),
    "type of a constant": ('p(X) <= edge(X, "a")', ["""bad.dl:1:9: type: edge(X, "a"): 'a' is not int"""]),
    "types that differ": (
        "p(X) <= edge(X, Y) & name(_, Y)",
        ["bad.dl:1:22: type: Y is int elsewhere, here str"],
    ),
    "compared types": (
        "p(X) <= edge(X, Y) & name(X, N) & (Y < N)",
        ["bad.dl:1:36: type: (Y < N) compares int with str"],
    ),
    "types of two rules": (
        "p(X) <= edge(X, _)\np(N) <= name(_, N)",
        ["bad.dl:2:1: type: column 1 of p is int, here str"],
    ),
    "right recursion": (
        "r(X, Y) <= edge(X, Y)\nr(X, Y) <= edge(X, Z) & r(Z, Y)",
        [
            "bad.dl:2:25: recursion: r may call itself once, first in the body; write r(...) <= r(...) & ...",
        ],
    ),
    "mutual recursion": (
        "p(X) <= edge(X, _)\np(X) <= q(X)\nq(X) <= p(X) & edge(X, X)",
        [
            "bad.dl:2:1: recursion: mutual recursion of p, q; let one predicate call itself only",
            "bad.dl:3:1: recursion: mutual recursion of p, q; let one predicate call itself only",
        ],
    ),
    "negation of itself": (
        "p(X) <= edge(X, _) & ~p(X)",
        ["bad.dl:1:1: unstratified: p depends on its own negation or aggregate (through p)"],
    ),
    "recursion that counts": (
        "n(X) <= edge(X, _)\nn(Y) <= n(X) & (Y == X + 1)",
        ["bad.dl:2:1: recursion: n makes new numbers while it recurs and may never end"],
    ),
    "open tie": (
        "(best[X] == min_(Y, order_by=Z)) <= edge(X, Y) & edge(X, Z)",
        ["bad.dl:1:2: tie: rows that are equal in (Z) leave the choice open; write order_by=(Z, Y)"],
    ),
    "sum of itself": (
        "(s[X] == sum_(Y, for_each=Y)) <= edge(X, Y)",
        [
            "bad.dl:1:2: sum: for_each names only the value: equal values would count once; "
            "add what is counted to for_each"
        ],
    ),
    "unknown aggregate": (
        "(s[X] == mean_(Y, for_each=X)) <= edge(X, Y)",
        ["bad.dl:1:10: aggregate: an aggregate is min_, max_, sum_ or len_ of one variable"],
    ),
    "bare head": (
        "s[X] == len_(Y) <= edge(X, Y)",
        ["bad.dl:1:1: bare-head: the head f[X] == ... needs parentheses; write (f[X] == ...) <= body"],
    ),
    "a fact without +": ("edge(1, 2)", ["bad.dl:1:1: bare-fact: a fact is written with +; write + edge(1, 2)"]),
    "a fact with a variable": ("+ edge(1, X)", ["bad.dl:1:3: fact: edge(1, X) is not a fact: X is not a constant"]),
    "a fact of another type": (
        '+ edge(1, "x")',
        ['bad.dl:1:3: fact-type: edge(1, "x") does not fit edge(a: int, b: int)'],
    ),
    "a rule for a fact": (
        "edge(X, Y) <= edge(Y, X)",
        ["bad.dl:1:1: derived-fact: edge is for facts; a rule cannot derive it"],
    ),
    "Python": ("import os", ["bad.dl:1:1: not-a-rule: this import is not a rule; write head <= body, or + fact"]),
    "a call of Python": (
        "p(X) <= edge(X, _) & (X == __import__('os').system('false'))",
        ["bad.dl:1:28: term: this call is not a term; use a variable, an integer or a string"],
    ),
    "attribute": (
        "p(X) <= os.edge(X, _)",
        ["bad.dl:1:9: atom: a predicate's name is a lower-case word"],
    ),
    "syntax": ("p(X) <= edge(X, _", ["bad.dl:1:13: syntax: '(' was never closed"]),
    "several at once": (
        "p(x) <= edge(x, _)\nq(1.5) <= edge(1, 2)\nr(X) <= edge(X, _) | edge(_, X)",
        [
            'bad.dl:1:3: bare-word: x is neither a variable nor a constant; write "x" or X',
            "bad.dl:2:3: constant: 1.5 is neither an integer nor a string; use integers, in a smaller unit if need be",
            "bad.dl:3:9: disjunction: there is no |; write one rule for each alternative",
        ],
    ),
    "a column after a wide character": (
        'p(X) <= name(X, "\u00e9\u4e2d") & egde(X)',
        ["bad.dl:1:25: unknown-predicate: no predicate 'egde' is declared or derived (did you mean edge?)"],
    ),
    "nested beyond reason": ("(" * 5000 + "p(X)" + ")" * 5000, None),
    "a sum beyond reason": ("p(X) <= edge(X, Y) & (Y == " + "+".join(["X"] * 20000) + ")", None),
}
"""name -> (text, messages); None: some error at 1:1, whatever Python's parser says of it."""
