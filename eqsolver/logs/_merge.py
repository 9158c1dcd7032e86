"""SQL of the way from what importers found to the table of attempts: facts joined, calls summed, costs found, verdicts decided."""

from __future__ import annotations

from collections.abc import Sequence

from eqsolver.logs._messages import fault
from eqsolver.logs._prices import day
from eqsolver.logs._records import LogOptions
from eqsolver.logs._store import Store, literal
from eqsolver.logs._table import Table, selection

TOKENS = ("input_tokens", "cached_tokens", "output_tokens")
PLAIN = ("domain", "verdict_2", "suite", "variant", "fingerprint", "run", "currency")
ROWS = ("problem", "provider", "attempt", "score", "excluded", "cut", "cost", "seconds", *TOKENS, "written_tokens")
ROWS = (*ROWS, "error", "verifier_cost", "time", *PLAIN, "origin", "seq", "place", "bad")
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


def _free(options: LogOptions) -> str:
    return f"({', '.join(map(literal, options.free)) or 'NULL'})"


def merge(store: Store, options: LogOptions) -> dict[str, int]:
    """The table `merged`, one row for each key of facts and calls; {reason: keys that belong to no attempt}.

    Sums over calls leave the judge's out and are unknown where one of a call that did not fail is.
    """
    cost, prices = _priced("k", "k.model", "k.start", options)
    own = "NOT judge"
    summed = ", ".join(
        f"CASE WHEN count(*) FILTER ({own} AND error IS NULL AND {name} IS NULL) = 0"
        f" THEN coalesce(sum({name}) FILTER ({own}), 0)::BIGINT END AS {name}"
        for name in TOKENS
    )
    store.run(f"""
        CREATE TABLE called AS
        WITH priced AS (SELECT k.*, coalesce(k.cost, {cost}, CASE WHEN k.model IN {_free(options)} THEN 0.0 END) AS paid
                        FROM calls k {prices})
        SELECT key, string_agg(DISTINCT model, '+' ORDER BY model) FILTER ({own}) AS provider, min(start) FILTER ({own}) AS time,
          round(max(finish) FILTER ({own}) - min(start) FILTER ({own}), 6) AS seconds, {summed},
          CASE WHEN count(*) FILTER ({own} AND error IS NULL AND paid IS NULL) = 0 THEN sum(paid) FILTER ({own}) END AS cost,
          CASE WHEN count(*) FILTER ({own} AND cost IS NULL AND paid IS NOT NULL) = 0 THEN 'log' ELSE 'price list' END AS origin,
          CASE WHEN count(paid) FILTER (judge) = count(*) FILTER (judge) THEN sum(paid) FILTER (judge) END AS verifier_cost,
          count(*) FILTER ({own} AND error IS NULL) = 0 AS failed, max(error) FILTER ({own}) AS error, max(cut) AS cut
        FROM priced GROUP BY key""")
    single = ", ".join(f"max({name}) AS {name}" for name in ("provider", "attempt", "cost", "seconds", *TOKENS, "written_tokens"))
    plain = ", ".join(f"max({name}) AS {name}" for name in ("verifier_cost", *PLAIN) if name != "currency")
    store.run(f"""
        CREATE TABLE told AS
        SELECT key, min(seq) AS seq, bool_or(kind = 'log') AS logged, bool_or(kind = 'roster') AS listed, min(problem) AS problem,
          max(problem) AS problem_2, min(time) AS time, {single}, {plain},
          min(score) FILTER (kind = 'verdict') AS least, max(score) FILTER (kind = 'verdict') AS most,
          coalesce(max(score) FILTER (kind = 'verdict'), max(score)) AS score, bool_or(excluded) AS excluded,
          bool_or(cut = 'True') AS cut, max(error) FILTER (kind = 'roster') AS missing,
          coalesce(max(error) FILTER (excluded), max(error) FILTER (kind <> 'roster')) AS error
        FROM facts GROUP BY key""")
    for key, one, other in store.rows("SELECT key, problem, problem_2 FROM told WHERE problem <> problem_2 LIMIT 1"):
        raise fault(str(key), f"is an attempt on two problems, {one!r} and {other!r}")
    for key, one, other in store.rows("SELECT key, least, most FROM told WHERE least <> most LIMIT 1"):
        raise fault(str(key), f"has two verdicts, {one:g} and {other:g}")
    either = ", ".join(f"coalesce(t.{name}, c.{name}) AS {name}" for name in ("provider", "seconds", "cost", "time", *TOKENS, "verifier_cost"))
    store.run(f"""
        CREATE TABLE joined AS
        SELECT coalesce(t.key, c.key) AS key, t.problem, t.attempt, t.score, {either}, t.written_tokens,
          (c.key IS NULL AND NOT t.logged) AS absent, coalesce(c.failed AND t.score IS DISTINCT FROM 1, false) AS failed,
          absent OR failed OR coalesce(t.excluded, false) AS excluded, coalesce(t.cut, false) OR c.cut IS NOT NULL AS cut,
          CASE WHEN absent THEN t.missing ELSE coalesce(t.error, CASE WHEN failed THEN c.error ELSE c.cut END) END AS error,
          {", ".join(f"t.{name}" for name in PLAIN if name != "currency")}, NULL::VARCHAR AS currency,
          CASE WHEN t.cost IS NOT NULL THEN 'log' WHEN c.cost IS NOT NULL THEN c.origin END AS origin,
          t.seq, coalesce(t.key, c.key) AS place, NULL::VARCHAR AS bad,
          CASE WHEN absent AND NOT coalesce(t.listed, false) THEN 'verdicts without an attempt'
               WHEN t.problem IS NULL THEN 'attempts on no known problem'
               WHEN coalesce(t.provider, c.provider) IS NULL THEN 'attempts of no known provider' END AS reason
        FROM told t FULL JOIN called c ON t.key = c.key""")
    return {reason: int(n) for reason, n in store.rows("SELECT reason, count(*) FROM joined WHERE reason IS NOT NULL GROUP BY reason")}


def join(store: Store, tables: Sequence[Table], options: LogOptions) -> None:
    """The relation `rows`: attempts of importers, numbered, and of tables, as they are; costs from the price list where unknown.

    The numbers that logs give stay where they are different on a problem; else attempts are numbered from 1 in order of time.
    """
    store.run(f"""
        CREATE TABLE merged AS
        WITH kept AS (SELECT * FROM joined WHERE reason IS NULL),
          cells AS (SELECT provider, problem, suite, variant, count(*) = count(DISTINCT attempt) AS told
                    FROM kept GROUP BY ALL)
        SELECT {", ".join(f"k.{name}" for name in ROWS if name != "attempt")}, k.attempt AS given,
          CASE WHEN c.told THEN k.attempt ELSE row_number() OVER (
            PARTITION BY k.provider, k.problem, k.suite, k.variant ORDER BY k.time NULLS LAST, k.attempt, k.run, k.seq) END AS attempt
        FROM kept k JOIN cells c ON k.provider = c.provider AND k.problem = c.problem
          AND k.suite IS NOT DISTINCT FROM c.suite AND k.variant IS NOT DISTINCT FROM c.variant""")
    parts = [f"SELECT {', '.join(ROWS)} FROM merged", *(f"SELECT {', '.join(ROWS)} FROM ({of_table(one, options)})" for one in tables)]
    cost, prices = _priced("r", "r.provider", "r.time", options)
    free = f"r.provider IN {_free(options)}"
    store.run(f"""
        CREATE VIEW rows AS
        SELECT r.* REPLACE (coalesce(r.cost, {cost}, CASE WHEN {free} THEN 0.0 END) AS cost,
          CASE WHEN r.cost IS NOT NULL THEN r.origin WHEN {cost} IS NOT NULL THEN 'price list' WHEN {free} THEN 'free' END AS origin)
        FROM ({" UNION ALL ".join(parts)}) r {prices}""")


def of_table(one: Table, options: LogOptions, *, numbered: bool = False) -> str:
    """A table's rows with the columns of `rows`; with `per`, its calls summed. An attempt that `error` alone explains is excluded."""
    rows = selection(one, options.columns, options.per, numbered=numbered)
    place = "place" if numbered else literal(one.path)
    more = f"false AS excluded, false AS cut, NULL::BIGINT AS written_tokens, NULL AS variant, NULL AS fingerprint, NULL AS run, NULL::BIGINT AS seq"
    origin = "CASE WHEN cost IS NOT NULL THEN 'log' END AS origin"
    if options.per is None:
        seconds = "coalesce(seconds, round(finish - start, 6)) AS seconds"
        return f"SELECT * REPLACE ({seconds}) , solved AS score, {more}, {origin}{'' if numbered else f', {place} AS place'} FROM ({rows})"
    summed = ", ".join(f"CASE WHEN count({name}) = count(*) THEN sum({name}) END AS {name}" for name in ("cost", *TOKENS, "verifier_cost"))
    alike = ", ".join(f"max({name}) AS {name}" for name in ("provider", "attempt", "error", "domain", "verdict_2", "suite", "currency", "bad"))
    two = "CASE WHEN min(problem) <> max(problem) OR min(solved) <> max(solved) THEN per || ' has two problems or verdicts' END"
    return f"""
        SELECT *, {more}, {origin} FROM (
          SELECT min(problem) AS problem, max(solved) AS score, {summed}, {alike.replace("max(bad)", f"coalesce(max(bad), {two})")},
            coalesce(sum(seconds), round(max(finish) - min(start), 6)) AS seconds, coalesce(min(time), min(start)) AS time,
            {f"min({place})" if numbered else place} AS place
          FROM ({rows}) WHERE per IS NOT NULL GROUP BY per)"""


def decide(store: Store, options: LogOptions) -> str | None:
    """The relation `attempts`, with verdicts decided and names told apart; the currency, where the logs name one.

    Problems of several suites are `suite/problem`; a provider with several variants (prompts) is one provider for each.
    """
    currencies = [name for (name,) in store.rows("SELECT DISTINCT currency FROM rows WHERE currency IS NOT NULL ORDER BY 1")]
    if len(currencies) > 1:
        raise fault("currency", f"several in one market: {', '.join(currencies)}; convert the costs first")
    suites = [name for (name,) in store.rows("SELECT DISTINCT suite FROM rows WHERE suite IS NOT NULL")]
    several = "SELECT provider FROM rows WHERE variant IS NOT NULL GROUP BY provider HAVING count(DISTINCT variant) > 1"
    varied = f"({', '.join(literal(name) for (name,) in store.rows(several)) or 'NULL'})"
    problem = "coalesce(suite || '/', '') || problem" if len(suites) > 1 else "problem"
    least = "abs(score - 1) <= 1e-6" if options.solved_at is None else f"score >= {options.solved_at!r}"
    none = "score <= 1e-6" if options.solved_at is None else f"score < {options.solved_at!r}"
    dropped = f"error IN ({', '.join(map(literal, options.exclude)) or 'NULL'})"
    store.run(f"""
        CREATE VIEW attempts AS
        SELECT {problem} AS problem, CASE WHEN provider IN {varied} THEN provider || '#' || left(variant, 8) ELSE provider END AS provider,
          attempt::BIGINT AS attempt,
          CASE WHEN excluded OR coalesce({dropped}, false) THEN NULL WHEN {least} THEN 1 WHEN {none} THEN 0 WHEN score IS NULL AND cut THEN 0
          END::TINYINT AS solved,
          cost::DOUBLE AS cost, seconds::DOUBLE AS seconds, {", ".join(f"{name}::BIGINT AS {name}" for name in TOKENS)},
          CASE WHEN excluded OR error IS NOT NULL THEN error WHEN score IS NULL THEN 'no verdict' WHEN {least} OR {none} THEN NULL
               ELSE 'partial credit' END AS error,
          domain, verifier_cost::DOUBLE AS verifier_cost, verdict_2::DOUBLE AS verdict_2, time::DOUBLE AS time, origin, place
        FROM rows""")
    return currencies[0] if currencies else None
