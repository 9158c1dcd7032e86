"""What cannot be true of an attempt is refused, with the place where it stands."""

from __future__ import annotations

from collections.abc import Sequence

from eqsolver.logs._merge import of_table
from eqsolver.logs._messages import fault
from eqsolver.logs._records import LogOptions
from eqsolver.logs._store import Store
from eqsolver.logs._table import Table

IMPOSSIBLE = """CASE WHEN bad IS NOT NULL THEN bad
  WHEN problem IS NULL THEN 'problem is blank' WHEN provider IS NULL THEN 'provider is blank'
  WHEN cost < 0 THEN 'cost = ' || cost || ' is negative' WHEN verifier_cost < 0 THEN 'verifier_cost = ' || verifier_cost || ' is negative'
  WHEN seconds < 0 THEN 'seconds = ' || seconds || ' is negative'
  WHEN input_tokens < 0 THEN 'input_tokens = ' || input_tokens || ' is negative'
  WHEN output_tokens < 0 THEN 'output_tokens = ' || output_tokens || ' is negative'
  WHEN cached_tokens < 0 THEN 'cached_tokens = ' || cached_tokens || ' is negative'
  WHEN cached_tokens > input_tokens THEN
    'cached_tokens = ' || cached_tokens::BIGINT || ' exceeds input_tokens = ' || input_tokens::BIGINT || ', which include them'
  WHEN attempt < 0 THEN 'attempt = ' || attempt || ' is negative' END"""


def check(store: Store, tables: Sequence[Table], options: LogOptions) -> None:
    """Raise `MarketError` for the first attempt that cannot be: in a table, with its row."""
    for place, told in store.rows(f"SELECT place, {IMPOSSIBLE} AS told FROM merged WHERE told IS NOT NULL ORDER BY seq LIMIT 1"):
        raise fault(str(place), str(told))
    for one in tables:
        if store.rows(f"SELECT count({IMPOSSIBLE}) FROM ({of_table(one, options)})")[0][0]:
            store.run("SET preserve_insertion_order = true")
            rows = f"SELECT place, {IMPOSSIBLE} AS told FROM ({of_table(one, options, numbered=True)}) WHERE told IS NOT NULL"
            place, told = store.rows(f"{rows} ORDER BY length(place), place LIMIT 1")[0]
            raise fault(one.path, str(place), str(told))
    _numbers(store, bool(tables))
    two = "SELECT provider, problem FROM rows WHERE fingerprint IS NOT NULL GROUP BY ALL HAVING count(DISTINCT fingerprint) > 1 LIMIT 1"
    for _, problem in store.rows(two):
        raise fault(str(problem), "is the name of two different problems; choose another with --map problem=PATH, such as hash(vars)")


def _numbers(store: Store, tables: bool) -> None:
    """No two attempts have one number: in a run of an importer, and in a cell of a table.

    Cells of a table whose numbers are 1 to n by count, least, most, sum and sum of squares are taken to be; others are looked at.
    """
    told = "has two attempts with the number"
    cell = "SELECT run, provider, problem, given FROM merged WHERE given IS NOT NULL GROUP BY ALL, suite, variant HAVING count(*) > 1"
    cell = cell.replace("GROUP BY ALL, suite, variant", "GROUP BY run, provider, problem, given, suite, variant")
    for run, provider, problem, number in store.rows(f"{cell} LIMIT 1"):
        raise fault(str(run), f"{provider} on {problem!r} {told} {number}")
    if not tables:
        return
    n = "count(attempt)"
    suspects = f"""SELECT provider, problem FROM rows WHERE attempt IS NOT NULL GROUP BY ALL HAVING NOT (min(attempt) = 1
        AND max(attempt) = {n} AND sum(attempt) = {n} * ({n} + 1) / 2 AND sum(attempt * attempt) = {n} * ({n} + 1) * (2 * {n} + 1) / 6)"""
    exact = f"""SELECT provider, problem, attempt FROM rows SEMI JOIN ({suspects}) USING (provider, problem)
        WHERE attempt IS NOT NULL GROUP BY provider, problem, attempt, suite HAVING count(*) > 1 LIMIT 1"""
    for provider, problem, number in store.rows(exact):
        raise fault("attempt", f"{provider} on {problem!r} {told} {number:g}")
