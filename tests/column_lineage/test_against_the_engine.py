"""What the graph says, held against what the engine does: change a column, and see which columns change.

A column of a result may only change when the graph has an edge to it, or to the rows, from the column that was changed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import duckdb
import pytest
from tests.column_lineage.conftest import TABLES, Build

QUERIES = (
    "SELECT id, x AS renamed, x + y AS total, upper(s) FROM a",
    "SELECT * FROM a",
    "SELECT * EXCLUDE (s) REPLACE (x * 2 AS x) RENAME (y AS why) FROM a",
    "SELECT a.*, b.z FROM a JOIN b ON a.id = b.id",
    "SELECT * FROM a JOIN b USING (id)",
    "SELECT * FROM a LEFT JOIN b USING (id, g)",
    "SELECT * FROM a FULL JOIN b USING (id)",
    "SELECT id, z FROM a RIGHT JOIN b USING (id)",
    "SELECT * FROM a NATURAL JOIN b",
    "SELECT a.x FROM a SEMI JOIN b ON a.id = b.id AND b.z > 1",
    "SELECT a.x FROM a ANTI JOIN b USING (id)",
    "SELECT a.x, b.w FROM a ASOF JOIN b ON a.x >= b.z",
    "SELECT a.id, b.id FROM a, b WHERE a.g = b.g",
    "FROM (SELECT * FROM a JOIN b ON a.id = b.id) z SELECT id_1, id, g_1",
    "SELECT g, count(*), sum(x), max(y) FILTER (WHERE x > 1), count(DISTINCT s) FROM a GROUP BY g",
    "SELECT g, s, sum(x) FROM a GROUP BY ALL",
    "SELECT g, x FROM a GROUP BY 1, 2 HAVING sum(y) > 3",
    "SELECT g AS k, avg(x) AS m FROM a GROUP BY k ORDER BY m DESC LIMIT 1",
    "SELECT x % 2 AS k, list(y ORDER BY id) AS l, string_agg(s, ',' ORDER BY y) FROM a GROUP BY k",
    "SELECT arg_max(s, x), mad(y), histogram(g), quantile_cont(x, 0.5) FROM a",
    "SELECT g, sum(x) FROM a GROUP BY ROLLUP (g)",
    "SELECT CASE WHEN x > 2 THEN y ELSE id END AS v, if(g = 'p', s, 'no') AS t, nullif(x, y), coalesce(y, id) FROM a",
    "SELECT id, row_number() OVER (PARTITION BY g ORDER BY x) AS n, sum(y) OVER w FROM a WINDOW w AS (ORDER BY id)",
    "SELECT id, lag(x) OVER (ORDER BY y), first_value(s) OVER (PARTITION BY g ORDER BY x) FROM a",
    "SELECT id, x FROM a QUALIFY row_number() OVER (PARTITION BY g ORDER BY y) = 1",
    "SELECT x AS v, v + y AS u, u * 2 FROM a WHERE v > 1",
    "WITH r AS (SELECT g, sum(x) AS t FROM a GROUP BY g), q AS (SELECT * FROM r WHERE t > 2) SELECT a.id, q.t FROM a JOIN q USING (g)",  # noqa: E501
    "WITH RECURSIVE r(n, v) AS (SELECT id, x FROM a UNION ALL SELECT n + 10, v + 1 FROM r WHERE n < 20) FROM r",
    "WITH a AS (SELECT id, y AS x FROM a) SELECT x FROM a",
    "SELECT id, (SELECT max(z) FROM b WHERE b.id = a.id) AS top, EXISTS (FROM b WHERE b.g = a.g) AS seen FROM a",
    "SELECT id FROM a WHERE x IN (SELECT z FROM b WHERE w > 1)",
    "SELECT id, x > ALL (SELECT z FROM b) AS biggest FROM a",
    "SELECT id, l.m FROM a, LATERAL (SELECT max(z) AS m FROM b WHERE b.id <= a.id) AS l",
    "SELECT id, x FROM a UNION ALL SELECT id, z FROM b",
    "SELECT id, x FROM a UNION SELECT z, w FROM b",
    "SELECT id, x FROM a UNION ALL BY NAME SELECT z AS x, g FROM b",
    "SELECT id FROM a EXCEPT SELECT id FROM b",
    "SELECT g FROM a INTERSECT SELECT g FROM b",
    "(SELECT id FROM a ORDER BY x LIMIT 2) UNION ALL SELECT id FROM b",
    "SELECT DISTINCT g FROM a",
    "SELECT DISTINCT ON (g) g, id FROM a ORDER BY g, x",
    "SELECT id, item FROM c, UNNEST(items) AS u(item)",
    "SELECT id, unnest(items) AS i, st.p, st['q'] AS q, st FROM c",
    "SELECT id, t.st.p AS deep, t.* EXCLUDE (st, items) FROM c AS t",
    "SELECT id, list_transform(items, i -> i + id) AS more, list_filter(items, lambda i: i > 1) AS few FROM c",
    "SELECT {'k': x, 'l': y} AS made, [x, y] AS both, row(x, s) AS r FROM a",
    "SELECT t FROM a AS t",
    "SELECT v.p, a.x FROM (VALUES (1, 'p'), (2, 'q')) AS v(n, p) JOIN a ON a.g = v.p",
    "SELECT i, i + x AS n FROM a, range(3) AS r(i)",
    "SELECT #2 AS second FROM a",
    "SELECT COLUMNS('^[xy]$') FROM a",
    "SELECT min(COLUMNS(* EXCLUDE (s, g))) FROM a",
    "SELECT * FROM (SELECT g, s, x FROM a) PIVOT (sum(x) FOR s IN ('s1', 's2'))",
    "SELECT * FROM (SELECT id, x, y FROM a) UNPIVOT (v FOR n IN (x, y))",
    "FROM (PIVOT (SELECT g, s, x FROM a) ON s IN ('s1', 's2') USING sum(x) AS t, max(x) AS m GROUP BY g)",
    "FROM (UNPIVOT (SELECT id, x, y FROM a) ON x, y INTO NAME n VALUE v)",
    "SELECT j.id, k.x FROM (a AS k JOIN b AS j ON k.id = j.id) WHERE j.w > 1",
    "SELECT sum(x) + count(*) * max(id) AS n FROM a WHERE s <> 's3'",
    "SELECT id FROM a ORDER BY y, x LIMIT 2 OFFSET 1",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY y) AS median FROM a",
    "SELECT extract(year FROM DATE '2020-01-01' + x::INT) AS yr, s LIKE 's%' AS likes, x BETWEEN id AND y AS between_ FROM a",  # noqa: E501
    "SELECT grouping(g), g, sum(x) FROM a GROUP BY GROUPING SETS ((g), ())",
    'SELECT A.X, "Y" FROM A',
)
ROWS = {
    "a": "(1, 1, 5, 'p', 's1'), (2, 3, 2, 'p', 's2'), (3, 4, 4, 'q', 's1'), (4, 2, 1, 'r', 's3'), (5, 3, 9, 'q', 's2')",
    "b": "(1, 2, 1, 'p'), (2, 3, 4, 'q'), (3, 1, 2, 'q'), (7, 4, 3, 'x'), (5, 9, 2, 'q')",
    "c": "(1, [1, 2], {'p': 1, 'q': 'u'}), (2, [3], {'p': 2, 'q': 'v'}), (3, [], {'p': 3, 'q': 'w'})",
}
CHANGES = {
    "number": ("{c} + 1", "5 - {c}", "CASE WHEN {c} > 2 THEN NULL ELSE {c} END", "1", "({c} * 7) % 5"),
    "text": ("'q'", "CASE WHEN {c} = 'p' THEN 'q' ELSE 'p' END", "NULL::VARCHAR", "{c} || '1'", "reverse({c})"),
    "list": ("list_transform({c}, i -> i + 1)", "[4, 5, 6]"),
    "struct": ("{{'p': {c}.p + 1, 'q': {c}.q}}", "{{'p': {c}.p, 'q': {c}.q || 'x'}}"),
}
KINDS = {"g": "text", "s": "text", "items": "list", "st": "struct"}
VARIANTS = {
    f"{table}_{column}_{number}": (table, column, change.format(c=column))
    for table in TABLES
    for column in TABLES[table]
    for number, change in enumerate(CHANGES[KINDS.get(column, "number")])
}


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """A schema for the tables as they are (``plain``), and one for each change of each column."""
    with duckdb.connect(config={"threads": 1}) as connection:
        for table, rows in ROWS.items():
            names = ", ".join(TABLES[table])
            connection.execute(f"CREATE TABLE original_{table} AS FROM (VALUES {rows}) AS t({names})")
        for schema, (changed, column, value) in {"plain": ("", "", ""), **VARIANTS}.items():
            connection.execute(f"CREATE SCHEMA {schema}")
            for table in TABLES:
                star = f"* REPLACE ({value} AS {column})" if table == changed else "*"
                connection.execute(f"CREATE VIEW {schema}.{table} AS SELECT {star} FROM original_{table}")
        yield connection


def run(engine: duckdb.DuckDBPyConnection, query: str, schema: str) -> tuple[list[str], list[Counter[str]]]:
    """The names of a result's columns, and the values of each."""
    engine.execute(f"SET search_path = '{schema}'")
    found = engine.execute(f"FROM ({query}\n)")
    names = [part[0] for part in found.description or []]
    values = list(zip(*found.fetchall(), strict=True)) or [()] * len(names)
    return names, [Counter(map(repr, one)) for one in values]


@pytest.mark.parametrize("query", QUERIES)
def test_nothing_changes_without_an_edge(query: str, build: Build, engine: duckdb.DuckDBPyConnection) -> None:
    graph = build(f"CREATE VIEW v AS {query}")
    targets = list(graph.nodes["v"].columns)
    acts = {(edge.source.node, edge.source.column, edge.target.column) for edge in graph.edges}

    names, before = run(engine, query, "plain")
    read = {table for table in TABLES if re.search(rf"\b{table}\b", query, re.IGNORECASE)}
    unexplained = {
        f"{table}.{column} -> {target}"
        for schema, (table, column, _) in VARIANTS.items()
        if table in read
        for target, old, new in zip(targets, before, run(engine, query, schema)[1], strict=True)
        if old != new and not {(table, column, target), (table, column, "")} & acts
    }

    assert not unexplained
    assert graph.nodes["v"].complete
    plain = [name.casefold() for name in names if name.isidentifier()]
    assert [name for name in targets if name.isidentifier()] == plain
