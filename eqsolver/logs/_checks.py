"""What cannot be true of an attempt is refused, with the place where it stands."""

from __future__ import annotations

from collections.abc import Sequence

from eqsolver.logs._merge import of_table
from eqsolver.logs._records import LogOptions
from eqsolver.logs._store import Store
from eqsolver.logs._table import Table
from eqsolver.logs._values import fault

NOT_NEGATIVE = ("cost", "verifier_cost", "seconds", "input_tokens", "cached_tokens", "output_tokens", "attempt")
IMPOSSIBLE = f"""CASE WHEN bad IS NOT NULL THEN bad
  WHEN problem IS NULL THEN 'problem is blank' WHEN provider IS NULL THEN 'provider is blank'
  {" ".join(f"WHEN {name} < 0 THEN '{name} = ' || {name} || ' is negative'" for name in NOT_NEGATIVE)}
  WHEN cached_tokens > input_tokens THEN
    'cached_tokens = ' || cached_tokens::BIGINT || ' exceeds input_tokens = ' || input_tokens::BIGINT || ', which include them'
  END"""
NUMBERED_TWICE = "{} on {!r} has two attempts with the number {:g}"


def check(store: Store, tables: Sequence[Table], options: LogOptions) -> None:
    """Raise `MarketError` for the first attempt that cannot be: in a table, with its row."""
    impossible = f"SELECT place, {IMPOSSIBLE} AS told FROM"
    for place, told in store.rows(f"{impossible} merged WHERE told IS NOT NULL ORDER BY seq LIMIT 1"):
        raise fault(str(place).replace("|", ": "), str(told))
    for one in tables:
        ((wrong, rows),) = store.rows(f"SELECT count({IMPOSSIBLE}), count(*) FROM ({of_table(one, options)})")
        if not rows:
            raise fault(one.path, "holds no attempts")
        if wrong:
            store.run("SET preserve_insertion_order = true")  # rows are numbered only now: that takes time
            numbered = f"{impossible} ({of_table(one, options, numbered=True)}) WHERE told IS NOT NULL"
            place, told = store.rows(f"{numbered} ORDER BY length(place), place LIMIT 1")[0]
            raise fault(one.path, str(place), str(told))
    _run_numbers(store)
    if tables:
        _table_numbers(store)
    two = (
        "SELECT problem FROM rows WHERE fingerprint IS NOT NULL GROUP BY problem, suite HAVING count(DISTINCT fingerprint) > 1"
    )
    for (problem,) in store.rows(f"{two} LIMIT 1"):
        told = "is the name of two different problems; choose another with --map problem=PATH, such as hash(vars)"
        raise fault(str(problem), told)


def _run_numbers(store: Store) -> None:
    """No two attempts of one run have one number."""
    cell = "run, provider, problem, suite, variant, given"
    twice = f"SELECT {cell} FROM merged WHERE given IS NOT NULL GROUP BY {cell} HAVING count(*) > 1"
    for run, provider, problem, _, _, number in store.rows(f"{twice} ORDER BY min(seq) LIMIT 1"):
        raise fault(str(run), NUMBERED_TWICE.format(provider, problem, number))


def _table_numbers(store: Store) -> None:
    """No two attempts on a problem have one number.

    Those whose numbers are 1 to n by count, least, most, sum and sum of squares are taken to be; only others are sorted.
    """
    n = "count(attempt)"
    regular = f"sum(attempt) = {n} * ({n} + 1) / 2 AND sum(attempt * attempt) = {n} * ({n} + 1) * (2 * {n} + 1) / 6"
    suspects = f"""SELECT provider, problem FROM rows WHERE attempt IS NOT NULL GROUP BY ALL
        HAVING NOT (min(attempt) = 1 AND max(attempt) = {n} AND {regular})"""
    twice = f"""SELECT provider, problem, attempt FROM rows SEMI JOIN ({suspects}) USING (provider, problem)
        WHERE attempt IS NOT NULL GROUP BY provider, problem, attempt, suite HAVING count(*) > 1 ORDER BY ALL LIMIT 1"""
    for provider, problem, number in store.rows(twice):
        raise fault("attempt", NUMBERED_TWICE.format(provider, problem, number))
