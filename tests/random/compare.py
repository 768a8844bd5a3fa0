#!/usr/bin/env python3
"""Random queries on the same random data, here and on a reference PostgreSQL: every answer must be the same.

    tests/random/compare.py DSN REFERENCE_DSN [--seed N] [--count N] [--stop N]

A query is drawn from its own seed, so that `--seed S --count 1` repeats it. Rows are compared as a multiset, and in order
where ORDER BY names every column; errors by SQLSTATE. Counted apart: an error of class 21 or 22 in one answer only, which
depends on what is computed first (shown with -v), and answers that differ in the form of equal values only (0 and 0.00),
where min(), DISTINCT and the like are free to take either. Needs psycopg 3.
"""

import argparse
import random
import re
import sys

from psycopg import pq

TABLES = {
    "t1": [("id", "int"), ("a", "int"), ("b", "text"), ("c", "numeric"), ("d", "bool"), ("e", "date"), ("doc", "jsonb")],
    "t2": [("id", "int"), ("a", "int"), ("b", "text"), ("f", "bigint"), ("ts", "timestamp"), ("arr", "int[]")],
    "t3": [("k", "text"), ("v", "numeric"), ("g", "bigint"), ("x", "float8"), ("d", "bool")],
}
ROWS = {"t1": 40, "t2": 30, "t3": 20}
TYPES = ["int", "bigint", "numeric", "text", "bool", "date", "timestamp", "jsonb", "int[]", "float8"]
NUMBERS = ["int", "bigint", "numeric"]
WORDS = ["a", "b", "ab", "foo", "bar", "Zed", "", "x y", "null", "10", "é"]


def quote(text):
    return "'" + text.replace("'", "''") + "'"


def literal(r, typ, null=0.1):
    if r.random() < null:
        return f"NULL::{typ}"
    if typ == "int":
        return str(r.choice([0, 1, 2, 3, 5, 7, 10, -1, -3, 100]))
    if typ == "bigint":
        return f"{r.choice([0, 1, 2, 5, 40, -7, 3000000000])}::bigint"
    if typ == "numeric":
        return f"{r.choice(['0', '1.5', '2.25', '-3.0', '10', '0.10', '7.125', '100.00'])}::numeric"
    if typ == "text":
        return quote(r.choice(WORDS)) + r.choice(["", "::text"])
    if typ == "bool":
        return r.choice(["true", "false"])
    if typ == "date":
        return f"date '20{r.randint(10, 25)}-0{r.randint(1, 9)}-1{r.randint(0, 9)}'"
    if typ == "timestamp":
        return f"timestamp '20{r.randint(10, 25)}-0{r.randint(1, 9)}-11 1{r.randint(0, 9)}:30:0{r.randint(0, 9)}'"
    if typ == "jsonb":
        return "jsonb " + quote(r.choice(DOCS))
    if typ == "int[]":
        return "ARRAY[" + ", ".join(str(r.randint(0, 5)) for _ in range(r.randint(1, 3))) + "]"
    return f"{r.choice([0, 0.5, 1.25, -2, 1e10])}::float8"


DOCS = ['{}', '{"n": 1}', '{"n": 2, "s": "foo"}', '{"n": null}', '{"a": {"b": [1, 2, 3]}, "s": "x"}', '[1, "a", null]',
        '"text"', '5', 'true', 'null', '{"s": "bar", "n": 2.50, "t": [true]}']


class Scope:
    """Columns that may be named: (expression, type)."""

    def __init__(self, columns, outer=None):
        self.columns, self.outer = columns, outer

    def of(self, r, typ):
        own = [c for c, t in self.columns if t == typ]
        if self.outer and (not own or r.random() < 0.15):
            return self.outer.of(r, typ)
        return r.choice(own) if own else None


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.names = 0

    def name(self, prefix):
        self.names += 1
        return f"{prefix}{self.names}"

    # Expressions.

    def expr(self, typ, scope, depth=0):
        r = self.r
        if depth > 3 or r.random() < 0.35:
            column = scope.of(r, typ) if scope else None
            if column and r.random() < 0.85:
                return column
            return literal(r, typ)
        choice = r.random()
        sub = lambda t: self.expr(t, scope, depth + 1)
        if choice < 0.08:
            return f"CASE WHEN {sub('bool')} THEN {sub(typ)} " + (f"ELSE {sub(typ)} " if r.random() < 0.7 else "") + "END"
        if choice < 0.13:
            return f"COALESCE({sub(typ)}, {sub(typ)})"
        if choice < 0.16 and typ != "jsonb":
            return f"{r.choice(['GREATEST', 'LEAST'])}({sub(typ)}, {sub(typ)})"
        if choice < 0.19:
            return f"NULLIF({sub(typ)}, {sub(typ)})"
        if choice < 0.24 and depth < 2:
            return self.scalar_subquery(typ, scope)
        return getattr(self, "expr_" + typ.replace("[]", "s"))(sub, scope, depth)

    def expr_int(self, sub, scope, depth):
        r = self.r
        return r.choice([
            lambda: f"({sub('int')} {r.choice(['+', '-'])} {r.randint(0, 9)})",
            lambda: f"length({sub('text')})",
            lambda: f"({sub('int')} % 7)",
            lambda: f"abs({sub('int')} % 1000)",
            lambda: f"extract(year FROM {sub('date')})::int",
            lambda: f"cardinality({sub('int[]')})",
            lambda: f"({sub('int[]')})[{r.randint(1, 3)}]",
            lambda: f"position({sub('text')} IN {sub('text')})",
            lambda: f"({sub('date')} - {sub('date')})",
            lambda: f"sign({sub('numeric')})::int",
            lambda: f"({sub('bool')})::int",
            lambda: f"ascii({sub('text')})",
        ])()

    def expr_bigint(self, sub, scope, depth):
        r = self.r
        return r.choice([
            lambda: f"({sub('bigint')} {r.choice(['+', '-'])} {sub('int')})",
            lambda: f"({sub('int')})::bigint",
            lambda: f"({sub('bigint')} / 3)",
            lambda: f"({sub('bigint')} & 15)",
        ])()

    def expr_numeric(self, sub, scope, depth):
        r = self.r
        return r.choice([
            lambda: f"({sub('numeric')} {r.choice(['+', '-', '*'])} {sub('numeric')})",
            lambda: f"({sub('numeric')} / 4)",
            lambda: f"round({sub('numeric')}, {r.randint(0, 2)})",
            lambda: f"({sub(r.choice(['int', 'bigint']))})::numeric",
            lambda: f"{r.choice(['abs', 'ceil', 'floor', 'trunc', '-'])}({sub('numeric')})",
            lambda: f"({sub('int')} * 1.5)",
        ])()

    def expr_text(self, sub, scope, depth):
        r = self.r
        return r.choice([
            lambda: f"({sub('text')} || {sub('text')})",
            lambda: f"{r.choice(['upper', 'lower', 'reverse', 'btrim', 'initcap', 'md5'])}({sub('text')})",
            lambda: f"substr({sub('text')}, {r.randint(1, 3)}, {r.randint(0, 3)})",
            lambda: f"({sub(r.choice(['int', 'bigint', 'numeric', 'bool', 'date', 'int[]']))})::text",
            lambda: f"({sub('jsonb')} ->> {r.choice(QUOTED_KEYS)})",
            lambda: f"concat({sub('text')}, {sub('int')}, {sub('bool')})",
            lambda: f"replace({sub('text')}, 'o', '0')",
            lambda: f"left({sub('text')}, 2)",
            lambda: f"to_char({sub('date')}, 'YYYY-MM')",
            lambda: f"jsonb_typeof({sub('jsonb')})",
        ])()

    def expr_bool(self, sub, scope, depth):
        r = self.r
        def compare():
            typ = r.choice(TYPES)
            return f"({sub(typ)} {r.choice(['=', '<>', '<', '<=', '>', '>='])} {sub(typ)})"
        def mixed():
            left, right = r.choice(NUMBERS), r.choice(NUMBERS)
            return f"({sub(left)} {r.choice(['=', '<>', '<', '>'])} {sub(right)})"
        def in_list():
            typ = r.choice(["int", "text", "numeric", "date"])
            items = ", ".join(self.expr(typ, scope, 3) for _ in range(r.randint(1, 4)))
            return f"({sub(typ)} {r.choice(['IN', 'NOT IN'])} ({items}))"
        def between():
            typ = r.choice(["int", "numeric", "text", "date"])
            return f"({sub(typ)} {r.choice(['BETWEEN', 'NOT BETWEEN', 'BETWEEN SYMMETRIC'])} {sub(typ)} AND {sub(typ)})"
        def subquery():
            if depth > 1:
                return compare()
            typ = r.choice(["int", "text", "numeric"])
            query = self.select([typ], scope, small=True)
            return r.choice([
                lambda: f"({'NOT ' * r.randint(0, 1)}EXISTS ({self.select([r.choice(TYPES)], scope, small=True)}))",
                lambda: f"({sub(typ)} {r.choice(['IN', 'NOT IN'])} ({query}))",
                lambda: f"({sub(typ)} {r.choice(['=', '<', '>=', '<>'])} {r.choice(['ANY', 'ALL'])} ({query}))",
            ])()
        return r.choice([
            compare, compare, mixed, in_list, between, subquery,
            lambda: f"({sub('bool')} {r.choice(['AND', 'OR'])} {sub('bool')})",
            lambda: f"(NOT {sub('bool')})",
            lambda: f"({sub(r.choice(TYPES))} IS {r.choice(['', 'NOT '])}NULL)",
            lambda: f"({sub('bool')} IS {r.choice(['', 'NOT '])}{r.choice(['TRUE', 'FALSE', 'UNKNOWN'])})",
            lambda: (lambda t: f"({sub(t)} IS {r.choice(['', 'NOT '])}DISTINCT FROM {sub(t)})")(r.choice(TYPES)),
            lambda: f"({sub('text')} {r.choice(['LIKE', 'NOT LIKE', 'ILIKE'])} {quote(r.choice(['%a%', 'f_o', '%', '', 'Z%', '_']))})",
            lambda: f"({sub('jsonb')} @> {quote(r.choice(DOCS))}::jsonb)",
            lambda: f"({sub('jsonb')} ? {r.choice(QUOTED_KEYS)})",
            lambda: f"({sub('int')} = ANY ({sub('int[]')}))",
            lambda: f"({sub('int[]')} {r.choice(['@>', '<@', '&&'])} {sub('int[]')})",
            lambda: f"(ROW({sub('int')}, {sub('text')}) {r.choice(['=', '<', '<>', '>='])} ROW({sub('int')}, {sub('text')}))",
        ])()

    def expr_date(self, sub, scope, depth):
        r = self.r
        return r.choice([
            lambda: f"({sub('date')} + {r.randint(0, 40)})",
            lambda: f"({sub('timestamp')})::date",
            lambda: f"date_trunc('month', {sub('date')})::date",
        ])()

    def expr_timestamp(self, sub, scope, depth):
        r = self.r
        return r.choice([
            lambda: f"({sub('timestamp')} + interval '{r.randint(0, 3)} days {r.randint(0, 3)} hours')",
            lambda: f"({sub('date')})::timestamp",
            lambda: f"date_trunc('{r.choice(['day', 'hour', 'year'])}', {sub('timestamp')})",
        ])()

    def expr_jsonb(self, sub, scope, depth):
        r = self.r
        return r.choice([
            lambda: f"({sub('jsonb')} -> {r.choice(QUOTED_KEYS)})",
            lambda: f"({sub('jsonb')} #> '{{a,b}}')",
            lambda: f"to_jsonb({sub(r.choice(['int', 'text', 'numeric', 'bool', 'int[]']))})",
            lambda: f"jsonb_build_object('k', {sub(r.choice(['int', 'text', 'bool']))}, 'n', {sub('numeric')})",
            lambda: f"({sub('jsonb')})[{r.choice(QUOTED_KEYS)}]",
        ])()

    def expr_ints(self, sub, scope, depth):
        r = self.r
        return r.choice([
            lambda: f"({sub('int[]')} || {sub('int[]')})",
            lambda: f"ARRAY[{sub('int')}, {sub('int')}]",
            lambda: f"array_remove({sub('int[]')}, {sub('int')})",
            lambda: f"({sub('int[]')})[1:{r.randint(1, 2)}]",
        ])()

    def expr_float8(self, sub, scope, depth):
        r = self.r
        return r.choice([
            lambda: f"({sub('float8')} {r.choice(['+', '-'])} {sub('float8')})",
            lambda: f"({sub('int')})::float8",
            lambda: f"(- {sub('float8')})",
        ])()

    def scalar_subquery(self, typ, scope):
        r = self.r
        if typ in NUMBERS + ["text", "date", "timestamp"] and r.random() < 0.7:
            rel, inner = self.relation(scope)
            where = f" WHERE {self.expr('bool', inner, 1)}" if r.random() < 0.7 else ""
            if typ == "bigint" and r.random() < 0.6:
                return f"(SELECT count(*) FROM {rel}{where})"
            return f"(SELECT {r.choice(['max', 'min'])}({self.expr(typ, inner, 2)}) FROM {rel}{where})"
        rel, inner = self.relation(scope)
        value = self.expr(typ, inner, 2)
        return f"(SELECT {value} FROM {rel} ORDER BY 1 LIMIT 1)"

    # Relations.

    def relation(self, scope=None, depth=0, ctes=()):
        """FROM item and the scope that it makes."""
        r = self.r
        choice = r.random()
        if depth < 2 and choice < 0.3:
            return self.join(scope, depth, ctes)
        alias = self.name("r")
        if ctes and choice < 0.45:
            name, columns = r.choice(ctes)
            return f"{name} AS {alias}", Scope([(f"{alias}.{c}", t) for c, t in columns], scope)
        if depth < 2 and choice < 0.58:
            types = [r.choice(TYPES) for _ in range(r.randint(1, 3))]
            names = [f"c{i}" for i in range(len(types))]
            query = self.select(types, None, small=True, depth=depth + 1)
            return f"({query}) AS {alias}({', '.join(names)})", Scope([(f"{alias}.{n}", t) for n, t in zip(names, types)], scope)
        if choice < 0.63:
            types = [r.choice(["int", "text", "numeric"]) for _ in range(2)]
            rows = ", ".join("(" + ", ".join(literal(r, t, 0.2 if i else 0) for t in types) + ")" for i in range(r.randint(1, 4)))
            first = [f"{alias}.p", f"{alias}.q"]
            casts = ", ".join(f"{n}::{t} AS {n}" for n, t in zip("pq", types))
            return f"(SELECT {casts} FROM (VALUES {rows}) AS v(p, q)) AS {alias}", Scope(list(zip(first, types)), scope)
        if choice < 0.68:
            return f"generate_series({r.randint(0, 3)}, {r.randint(2, 6)}) AS {alias}(n)", Scope([(f"{alias}.n", "int")], scope)
        table = r.choice(list(TABLES))
        return f"{table} AS {alias}", Scope([(f"{alias}.{c}", t) for c, t in TABLES[table]], scope)

    def join(self, scope, depth, ctes):
        r = self.r
        left, ls = self.relation(scope, depth + 1, ctes)
        if r.random() < 0.12:
            alias = self.name("l")
            typ = r.choice(TYPES)
            inner = self.select([typ], Scope(ls.columns, scope), small=True, depth=2)
            kind = r.choice(["CROSS JOIN LATERAL", "LEFT JOIN LATERAL"])
            on = " ON true" if kind.startswith("LEFT") else ""
            return f"{left} {kind} ({inner} ORDER BY 1 LIMIT 3) AS {alias}(z){on}", Scope(ls.columns + [(f"{alias}.z", typ)], scope)
        right, rs = self.relation(scope, depth + 1, ctes)
        both = Scope(ls.columns + rs.columns, scope)
        kind = r.choice(["JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"])
        if kind == "CROSS JOIN":
            return f"({left} CROSS JOIN {right})", both
        pairs = [(a, b) for a, t in ls.columns for b, u in rs.columns if t == u and t in ("int", "text", "bigint", "numeric", "date")]
        on = []
        if pairs:
            on.append("{} = {}".format(*r.choice(pairs)))
        if kind != "FULL JOIN" and (not on or r.random() < 0.4):
            on.append(self.expr("bool", both, 2))
        if not on:
            kind, on = "LEFT JOIN", ["true"]
        return f"({left} {kind} {right} ON {' AND '.join(on)})", both

    # Queries.

    def select(self, types, outer, small=False, depth=0, ctes=()):
        r = self.r
        if not small and depth == 0 and r.random() < 0.12:
            op = r.choice(["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "EXCEPT ALL", "INTERSECT ALL"])
            return f"({self.select(types, outer, True, 1, ctes)}) {op} ({self.select(types, outer, True, 1, ctes)})"
        rel, scope = self.relation(outer, depth + (1 if small else 0), ctes)
        where = f" WHERE {self.expr('bool', scope, 1)}" if r.random() < 0.6 else ""
        shape = r.random()
        if shape < 0.22 and not (small and outer):
            return self.grouped(types, rel, scope, where)
        if shape < 0.32 and not small:
            return self.windowed(types, rel, scope, where)
        distinct = "DISTINCT " if r.random() < 0.12 and "float8" not in types else ""
        return f"SELECT {distinct}{', '.join(self.expr(t, scope, 1) for t in types)} FROM {rel}{where}"

    def grouped(self, types, rel, scope, where):
        r = self.r
        keys = [self.expr(r.choice(["int", "text", "bool", "date", "numeric"]), scope, 2) for _ in range(r.randint(0, 2))]
        keys = [k for k in keys if scope.columns and not k.startswith("(SELECT")]
        def aggregate(typ):
            arg = lambda t: self.expr(t, scope, 2)
            filtered = f" FILTER (WHERE {arg('bool')})" if r.random() < 0.2 else ""
            if typ == "bigint":
                return r.choice([
                    lambda: f"count(*){filtered}", lambda: f"count({'DISTINCT ' * r.randint(0, 1)}{arg(r.choice(['int', 'text', 'numeric']))}){filtered}",
                    lambda: f"sum({arg('int')}){filtered}", lambda: f"max({arg('bigint')}){filtered}"])()
            if typ == "numeric":
                return r.choice([
                    lambda: f"sum({arg('numeric')}){filtered}", lambda: f"avg({arg('int')}){filtered}", lambda: f"min({arg('numeric')}){filtered}",
                    lambda: f"sum(DISTINCT {arg('bigint')}){filtered}"])()
            if typ == "text":
                return r.choice([
                    lambda: f"max({arg('text')}){filtered}",
                    lambda: f"min({arg('text')}){filtered}"])()
            if typ == "bool":
                return f"{r.choice(['bool_and', 'bool_or'])}({arg('bool')}){filtered}"
            if typ == "int[]":
                e = arg("int")
                return f"array_agg({e} ORDER BY {e}){filtered}"
            if typ == "jsonb":
                e = arg(r.choice(["int", "text"]))
                return f"jsonb_agg({e} ORDER BY {e}){filtered}"
            if typ == "float8":
                return f"max({arg('float8')}){filtered}"
            return f"{r.choice(['min', 'max'])}({arg(typ)}){filtered}"
        items = [aggregate(t) for t in types]
        group = ""
        if keys:
            form = r.random()
            listed = ", ".join(keys)
            if form < 0.7:
                group = f" GROUP BY {listed}"
            else:
                group = f" GROUP BY {r.choice(['ROLLUP', 'CUBE'])}({listed})"
        having = f" HAVING {aggregate('bigint')} > {r.randint(0, 3)}" if r.random() < 0.25 else ""
        return f"SELECT {', '.join(items)} FROM {rel}{where}{group}{having}"

    def windowed(self, types, rel, scope, where):
        r = self.r
        items = []
        for typ in types:
            partition = f"PARTITION BY {self.expr(r.choice(['int', 'text', 'bool']), scope, 3)} " if r.random() < 0.6 else ""
            key = self.expr("int", scope, 3)
            if not any(key == c for c, _ in scope.columns):
                key = "(" + key + ")"
            over = f"OVER ({partition}ORDER BY {key}"
            if typ == "bigint":
                frame = r.choice(["", " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING", " RANGE BETWEEN 1 PRECEDING AND 2 FOLLOWING",
                                  " GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW", " RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE GROUP"])
                if "UNBOUNDED FOLLOWING" in frame or "RANGE" in frame or "GROUPS" in frame or not frame:
                    items.append(r.choice([f"rank() {over})", f"dense_rank() {over})", f"count(*) {over}{frame})", f"sum({self.expr('int', scope, 3)}) {over}{frame})"]))
            elif typ == "numeric":
                items.append(f"sum({self.expr('numeric', scope, 3)}) {over})")
            elif typ in ("int", "text", "date"):
                items.append(f"{r.choice(['max', 'min'])}({self.expr(typ, scope, 3)}) {over})")
            else:
                items.append(self.expr(typ, scope, 2))
        return f"SELECT {', '.join(items)} FROM {rel}{where}"

    def query(self):
        r = self.r
        ctes, text = [], ""
        if r.random() < 0.15:
            parts = []
            for _ in range(r.randint(1, 2)):
                types = [r.choice(TYPES) for _ in range(r.randint(1, 3))]
                name = self.name("w")
                columns = [f"c{i}" for i in range(len(types))]
                body = self.select(types, None, True, 1, tuple(ctes))
                parts.append(f"{name}({', '.join(columns)}) AS {r.choice(['', 'MATERIALIZED ', 'NOT MATERIALIZED '])}({body})")
                ctes.append((name, list(zip(columns, types))))
            text = f"WITH {', '.join(parts)} "
        types = [r.choice(TYPES) for _ in range(r.randint(1, 4))]
        text += self.select(types, None, ctes=tuple(ctes))
        ordered = r.random() < 0.4
        if ordered:
            keys = [f"{i + 1}{r.choice(['', ' DESC', ' NULLS FIRST', ' DESC NULLS LAST'])}" for i in range(len(types))]
            text += f" ORDER BY {', '.join(keys)}"
            if r.random() < 0.5:
                text += f" LIMIT {r.randint(0, 12)}" + (f" OFFSET {r.randint(0, 5)}" if r.random() < 0.4 else "")
        return text, ordered


QUOTED_KEYS = ["'n'", "'s'", "'a'", "'t'", "'zz'"]


def setup():
    r = random.Random(20)
    yield "DROP TABLE IF EXISTS t1, t2, t3"
    for table, columns in TABLES.items():
        key = " PRIMARY KEY" if columns[0][0] == "id" else ""
        yield f"CREATE TABLE {table} ({', '.join(f'{c} {t}' + (key if i == 0 else '') for i, (c, t) in enumerate(columns))})"
        for row in range(ROWS[table]):
            values = [str(row) if c == "id" else literal(r, t, 0.15) for c, t in columns]
            yield f"INSERT INTO {table} VALUES ({', '.join(values)})"
    yield "CREATE INDEX t1_a ON t1 (a)"
    yield "CREATE INDEX t2_b ON t2 (b, a)"
    yield "CREATE INDEX t1_doc ON t1 USING gin (doc)"


NUMBER = re.compile(rb"-?\d+(\.\d+)?")


def plain(rows):
    """Rows with numbers without trailing zeros and without -0: equal values, whatever their form."""
    def number(match):
        text = match.group(0)
        text = text.rstrip(b"0").rstrip(b".") if b"." in text else text
        return b"0" if text in (b"-0", b"-") else text
    return [tuple(value and NUMBER.sub(number, value) for value in row) for row in rows]


def answer(connection, sql):
    """(SQLSTATE or None, column types, rows or message)."""
    result = connection.exec_(sql.encode())
    if result.status == pq.ExecStatus.COMMAND_OK:
        return None, [], []
    if connection.status != pq.ConnStatus.OK:
        return "LOST", [], [("connection lost",)]
    if result.status == pq.ExecStatus.TUPLES_OK:
        types = [result.ftype(i) for i in range(result.nfields)]
        rows = [tuple(result.get_value(i, j) for j in range(result.nfields)) for i in range(result.ntuples)]
        return None, types, rows
    field = pq.DiagnosticField
    state = (result.error_field(field.SQLSTATE) or b"?????").decode()
    return state, [], (result.error_field(field.MESSAGE_PRIMARY) or b"").decode()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dsn")
    parser.add_argument("reference")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--stop", type=int, default=10, help="stop after so many differences")
    parser.add_argument("-v", action="store_true", help="show errors of class 21 and 22 in one answer too")
    args = parser.parse_args()
    here, there = (pq.PGconn.connect(dsn.encode()) for dsn in (args.dsn, args.reference))
    for connection in (here, there):
        if connection.status != pq.ConnStatus.OK:
            sys.exit(connection.error_message.decode())
        for statement in ["SET statement_timeout = '20s'", "SET client_min_messages = error", *setup()]:
            state, _, why = answer(connection, statement)
            if state:
                sys.exit(f"{statement}: {why}")
    same = errors = order_of_errors = slow = ties = 0
    different = []
    for seed in range(args.seed, args.seed + args.count):
        sql, ordered = Generator(seed).query()
        theirs = answer(there, sql)
        ours = answer(here, sql)
        if ours[0] == "LOST":
            print(f"--- seed {seed}: the connection was lost\n{sql}")
            sys.exit(1)
        if "57014" in (ours[0], theirs[0]):
            slow += 1
            if theirs[0] != "57014":
                print(f"--- seed {seed}: cancelled after 20 s here only\n{sql}")
            continue
        if ours[0] and theirs[0] and ours[0] == theirs[0]:
            errors += 1
            continue
        runtime = ("22", "21")
        if (ours[0] or theirs[0]) and (ours[0] or "22")[:2] in runtime and (theirs[0] or "22")[:2] in runtime:
            order_of_errors += 1
            if args.v:
                print(f"--- seed {seed}: class 21 or 22 in one answer: here {ours[0]} {ours[2] if ours[0] else ''}, there {theirs[0]}\n{sql}")
            continue
        if ours[:2] == theirs[:2] and (
            ours[2] == theirs[2] if ordered else sorted(ours[2], key=repr) == sorted(theirs[2], key=repr)
        ):
            same += 1
            continue
        # Which of several equal values min(), max(), DISTINCT, UNION or a tie in ORDER BY takes is nobody's promise.
        if ours[:2] == theirs[:2] and sorted(plain(ours[2]), key=repr) == sorted(plain(theirs[2]), key=repr) and (
            not ordered or plain(ours[2]) == plain(theirs[2])
        ):
            ties += 1
            continue
        different.append(seed)
        print(f"--- seed {seed}\n{sql}")
        for who, (state, types, rows) in (("here", ours), ("there", theirs)):
            shown = f"{state}: {rows}" if state else f"{len(rows)} rows, types {types}: {rows[:6]}"
            print(f"    {who}: {shown}")
        if len(different) >= args.stop:
            break
    print(f"seeds {args.seed}..{seed}: {same} same, {errors} the same error, {ties} but for the form of equal values, "
          f"{order_of_errors} with an error of class 21 or 22 in one answer only, {slow} cancelled, {len(different)} different {different}")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
