"""SQL from what importers found to the table of attempts: facts joined, calls summed, costs found, verdicts decided."""

from __future__ import annotations

from collections.abc import Sequence

from eqsolver.logs._prices import day
from eqsolver.logs._records import LogOptions
from eqsolver.logs._store import Store, literal
from eqsolver.logs._table import Table, selection
from eqsolver.logs._values import fault

TOKENS = ("input_tokens", "cached_tokens", "output_tokens")
NAMES = ("domain", "verdict_2", "suite", "variant", "fingerprint", "run")
ROWS = (
    *("problem", "provider", "attempt", "score", "excluded", "cut", "cost", "seconds", *TOKENS, "written_tokens"),
    *("error", "verifier_cost", "time", *NAMES, "currency", "origin", "seq", "place", "bad"),
)
"""Columns of the relation `rows`, alike for importers and tables."""


def _priced(rows: str, model: str, time: str, options: LogOptions) -> tuple[str, str]:
    """Cost of tokens at list price, and the join that finds the price. An unknown time is now."""
    cached, written = f"coalesce({rows}.cached_tokens, 0)", f"coalesce({rows}.written_tokens, 0)"
    fresh = f"greatest({rows}.input_tokens - {cached} - {written}, 0)"
    cost = f"({fresh} * p.income + {cached} * p.cached + {written} * p.written + {rows}.output_tokens * p.output) / 1e6"
    moment = day(options.as_of)
    when = f"coalesce({time}, epoch(now()))" if moment is None else repr(moment)
    spans = f"{when} >= p.since AND {when} < p.until AND {rows}.input_tokens > p.above AND {rows}.input_tokens <= p.up_to"
    return cost, f"LEFT JOIN prices p ON p.model = {model} AND {spans}"


def _listed(names: Sequence[str]) -> str:
    return f"({', '.join(map(literal, names)) or 'NULL'})"


def _known(what: str, names: Sequence[str]) -> str:
    """Sums of columns that are unknown where one of the rows that count is. what : which rows count, and must be known."""
    return ", ".join(
        f"CASE WHEN count(*) FILTER ({what} AND {name} IS NULL) = 0 THEN coalesce(sum({name}), 0) END AS {name}"
        for name in names
    )


def merge(store: Store, options: LogOptions) -> dict[str, int]:
    """The table `joined`, one row for each key of facts and calls; {reason: keys that belong to no attempt}.

    Sums over calls leave the judge's out, and are unknown where one of a call that did not fail is.
    """
    cost, prices = _priced("k", "k.model", "k.start", options)
    store.run(f"""
        CREATE TABLE paid AS
        SELECT k.*, coalesce(k.cost, {cost}, CASE WHEN k.model IN {_listed(options.free)} THEN 0.0 END) AS paid
        FROM calls k {prices}""")
    store.run(f"""
        CREATE TABLE called AS
        SELECT key, string_agg(DISTINCT model, '+' ORDER BY model) AS provider, min(start) AS time, sum(paid) AS total,
          round(max(finish) - min(start), 6) AS seconds, {_known("error IS NULL", TOKENS)},
          CASE WHEN count(*) FILTER (error IS NULL AND paid IS NULL) = 0 THEN total END AS cost,
          CASE WHEN count(*) FILTER (cost IS NULL AND paid IS NOT NULL) = 0 THEN 'log' ELSE 'price list' END AS origin,
          count(*) FILTER (error IS NULL) = 0 AS failed, max(error) AS error, max(cut_by) AS cut_by
        FROM paid WHERE NOT judge GROUP BY key""")
    store.run("""
        CREATE TABLE judged AS
        SELECT key, CASE WHEN count(paid) = count(*) THEN sum(paid) END AS verifier_cost FROM paid WHERE judge GROUP BY key""")
    single = (*("provider", "attempt", "cost", "seconds", "verifier_cost"), *TOKENS, "written_tokens", *NAMES)
    store.run(f"""
        CREATE TABLE told AS
        SELECT key, min(seq) AS seq, bool_or(kind = 'log') AS logged, bool_or(kind = 'roster') AS listed,
          min(problem) AS problem, max(problem) AS problem_2, min(time) AS time,
          {", ".join(f"max({name}) AS {name}" for name in single)},
          min(score) FILTER (kind = 'verdict') AS least, max(score) FILTER (kind = 'verdict') AS most,
          coalesce(most, max(score)) AS score, bool_or(excluded) AS excluded, bool_or(cut) AS cut,
          max(error) FILTER (kind = 'roster') AS missing,
          coalesce(max(error) FILTER (excluded), max(error) FILTER (kind <> 'roster')) AS error
        FROM facts GROUP BY key""")
    for key, one, other in store.rows("SELECT key, problem, problem_2 FROM told WHERE problem <> problem_2 LIMIT 1"):
        raise fault(str(key), f"is an attempt on two problems, {one!r} and {other!r}")
    for key, one, other in store.rows("SELECT key, least, most FROM told WHERE least <> most LIMIT 1"):
        raise fault(str(key), f"has two verdicts, {one:g} and {other:g}")
    either = ", ".join(f"coalesce(t.{name}, c.{name}) AS {name}" for name in ("provider", "seconds", "cost", "time", *TOKENS))
    store.run(f"""
        CREATE TABLE joined AS
        SELECT coalesce(t.key, c.key) AS place, t.problem, t.attempt, t.score, {either}, t.written_tokens,
          (c.key IS NULL AND NOT t.logged) AS absent, coalesce(c.failed AND t.score IS DISTINCT FROM 1, false) AS failed,
          absent OR failed OR coalesce(t.excluded, false) AS excluded, coalesce(t.cut, false) OR c.cut_by IS NOT NULL AS cut,
          CASE WHEN absent THEN t.missing ELSE coalesce(t.error, CASE WHEN failed THEN c.error ELSE c.cut_by END) END AS error,
          {", ".join(f"t.{name}" for name in NAMES)}, NULL::VARCHAR AS currency, NULL::VARCHAR AS bad, t.seq,
          coalesce(t.verifier_cost, j.verifier_cost) AS verifier_cost,
          CASE WHEN t.cost IS NOT NULL THEN 'log' WHEN c.cost IS NOT NULL THEN c.origin END AS origin,
          CASE WHEN absent AND NOT coalesce(t.listed, false) THEN 'verdicts without an attempt'
               WHEN t.problem IS NULL THEN 'attempts on no known problem'
               WHEN coalesce(t.provider, c.provider) IS NULL THEN 'attempts of no known provider' END AS reason
        FROM told t FULL JOIN called c ON t.key = c.key LEFT JOIN judged j ON j.key = coalesce(t.key, c.key)""")
    left_out = store.rows("SELECT reason, count(*) FROM joined WHERE reason IS NOT NULL GROUP BY reason ORDER BY reason")
    return {reason: int(number) for reason, number in left_out}


def join(store: Store, tables: Sequence[Table], options: LogOptions) -> None:
    """The relation `rows`: attempts of importers, numbered, and of tables, as they are; priced where costs are unknown.

    Numbers that logs give stay where they differ on a problem; else attempts are numbered from 1 in order of time.
    """
    store.run(f"""
        CREATE TABLE merged AS
        WITH kept AS (SELECT * FROM joined WHERE reason IS NULL),
          cells AS (SELECT provider, problem, suite, variant, count(*) = count(DISTINCT attempt) AS told FROM kept GROUP BY ALL)
        SELECT {", ".join(f"k.{name}" for name in ROWS if name != "attempt")}, k.attempt AS given,
          CASE WHEN c.told THEN k.attempt ELSE row_number() OVER (
            PARTITION BY k.provider, k.problem, k.suite, k.variant ORDER BY k.time NULLS LAST, k.attempt, k.run, k.seq
          ) END AS attempt
        FROM kept k JOIN cells c ON k.provider = c.provider AND k.problem = c.problem
          AND k.suite IS NOT DISTINCT FROM c.suite AND k.variant IS NOT DISTINCT FROM c.variant""")
    columns = ", ".join(ROWS)
    parts = [f"SELECT {columns} FROM merged", *(f"SELECT {columns} FROM ({of_table(one, options)})" for one in tables)]
    cost, prices = _priced("r", "r.provider", "r.time", options)
    free = f"r.provider IN {_listed(options.free)}"
    origin = f"CASE WHEN r.cost IS NOT NULL THEN r.origin WHEN {cost} IS NOT NULL THEN 'price list' WHEN {free} THEN 'free' END"
    store.run(f"""
        CREATE VIEW rows AS
        SELECT r.* REPLACE (coalesce(r.cost, {cost}, CASE WHEN {free} THEN 0.0 END) AS cost, {origin} AS origin)
        FROM ({" UNION ALL ".join(parts)}) r {prices}""")


def of_table(one: Table, options: LogOptions, *, numbered: bool = False) -> str:
    """A table's rows with the columns of `rows`; calls of one attempt are summed if `per` says which column tells it."""
    rows = selection(one, options.columns, options.per, numbered=numbered)
    place = "place" if numbered else f"{literal(one.path)} AS place"
    absent = "false AS excluded, false AS cut, NULL::BIGINT AS written_tokens, NULL::BIGINT AS seq"
    absent += ", NULL AS variant, NULL AS fingerprint, NULL AS run, CASE WHEN cost IS NOT NULL THEN 'log' END AS origin"
    if options.per is None:
        took = "coalesce(seconds, round(finish - start, 6)) AS seconds"
        less = "solved, place" if numbered else "solved"
        return f"SELECT * EXCLUDE ({less}) REPLACE ({took}), solved AS score, {absent}, {place} FROM ({rows})"
    names = ("provider", "attempt", "error", "domain", "verdict_2", "suite", "currency")
    return f"""
        SELECT *, {absent} FROM (
          SELECT min(problem) AS problem, max(solved) AS score, {_known("true", ("cost", *TOKENS, "verifier_cost"))},
            {", ".join(f"max({name}) AS {name}" for name in names)},
            coalesce(sum(seconds), round(max(finish) - min(start), 6)) AS seconds, coalesce(min(time), min(start)) AS time,
            coalesce(max(bad), CASE WHEN min(problem) <> max(problem) THEN per || ' is an attempt on two problems'
              WHEN min(solved) <> max(solved) THEN per || ' has two verdicts' END) AS bad,
            {"min(place) AS place" if numbered else place}
          FROM ({rows}) WHERE per IS NOT NULL GROUP BY per)"""


def decide(store: Store, options: LogOptions) -> str | None:
    """The relation `attempts`, with verdicts decided and names told apart; the currency, where the logs name one.

    Problems of several suites are `suite/problem`; a provider with several variants (prompts) is one provider for each.
    """
    currencies = [name for (name,) in store.rows("SELECT DISTINCT currency FROM rows WHERE currency IS NOT NULL ORDER BY 1")]
    if len(currencies) > 1:
        raise fault("currency", f"several in one market: {', '.join(currencies)}; convert the costs first")
    suites = store.rows("SELECT DISTINCT suite FROM rows WHERE suite IS NOT NULL")
    several = "SELECT provider FROM rows WHERE variant IS NOT NULL GROUP BY provider HAVING count(DISTINCT variant) > 1"
    varied = f"provider IN {_listed([name for (name,) in store.rows(several)])}"
    problem = "coalesce(suite || '/', '') || problem" if len(suites) > 1 else "problem"
    least = "abs(score - 1) <= 1e-6" if options.solved_at is None else f"score >= {options.solved_at!r}"
    none = "score <= 1e-6" if options.solved_at is None else f"score < {options.solved_at!r}"
    store.run(f"""
        CREATE VIEW attempts AS
        SELECT {problem} AS problem, provider || CASE WHEN {varied} THEN '#' || left(variant, 8) ELSE '' END AS provider,
          attempt::BIGINT AS attempt,
          CASE WHEN excluded OR coalesce(error IN {_listed(options.exclude)}, false) THEN NULL
            WHEN {least} THEN 1 WHEN {none} THEN 0 WHEN score IS NULL AND cut THEN 0 END::TINYINT AS solved,
          cost::DOUBLE AS cost, seconds::DOUBLE AS seconds, {", ".join(f"{name}::BIGINT AS {name}" for name in TOKENS)},
          CASE WHEN excluded OR error IS NOT NULL THEN error WHEN score IS NULL THEN 'no verdict'
            WHEN NOT ({least} OR {none}) THEN 'partial credit' END AS error,
          domain, verifier_cost::DOUBLE AS verifier_cost, verdict_2::DOUBLE AS verdict_2, time::DOUBLE AS time, origin, place
        FROM rows""")
    return str(currencies[0]) if currencies else None


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
