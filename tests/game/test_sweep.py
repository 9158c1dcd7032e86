"""Sweeps resume, do not depend on the number of jobs, and keep what failed; bands are those of resampled games."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from eqsolver import UsageError, equilibrium, sweep
from eqsolver.game import Logit, _sweep
from eqsolver.market import Arbitrageur, Geometric, Market, Population, Provider, Target, Value, write_spec
from eqsolver.report import save_sweep_figures

ONE = Market(
    name="one class",
    providers=tuple(
        Provider(name=name, odds=Geometric(success=[p, q]), spend=[w, w])
        for name, p, q, w in (("a", 0.5, 0.25, 0.25), ("b", 0.75, 0.5, 0.5))
    ),
    weights=[0.5, 0.5],
    max_budget=2.0,
    arbitrageurs=(Arbitrageur(name="broker"),),
    consumers=(Population(distribution="lognormal", parameters=(2.0, 1.0)),),
)
QUICK = {"regimes": ["direct", "competitive"], "tick": 0.05, "points": 16}
AXES = [("marginal-cost", [0.2, 0.5]), ("capability.b", [1.0, 2.0])]


def test_an_interrupted_sweep_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sweep(ONE, AXES, **QUICK)
    assert len(whole) == 4 * 2 * 2
    ledger, solve, done = tmp_path / "ledger", _sweep._solved, []

    def interrupted(*cell: object) -> tuple[str, str]:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(cell)
        return solve(*cell)

    monkeypatch.setattr(_sweep, "_solved", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sweep(ONE, AXES, ledger=ledger, **QUICK)
    solved: list[object] = []
    monkeypatch.setattr(_sweep, "_solved", lambda *cell: solved.append(cell) or solve(*cell))
    resumed = sweep(ONE, AXES, ledger=ledger, **QUICK)
    assert 2 <= len(solved) < 4, "what was solved before is not solved again"
    pd.testing.assert_frame_equal(resumed, whole)
    pd.testing.assert_frame_equal(sweep(ONE, AXES, ledger=ledger, **QUICK), whole)
    assert len(solved) < 5, "and the third time nothing is"


def test_a_killed_sweep_goes_on_where_it_was(tmp_path: Path) -> None:
    """SIGKILL, not an exception: what is in the ledger then is kept, and the answer is that of a sweep never killed."""
    market, out = tmp_path / "market.toml", tmp_path / "results.csv"
    write_spec(ONE, market)
    axes = ("--over", "marginal-cost=0.2:0.5:8", "--over", "capability.b=1,2")
    command = [sys.executable, "-m", "eqsolver.cli", "sweep", str(market), *axes, "--regimes", "direct,competitive"]
    command += ["--tick", "0.05", "--points", "16", "-o"]
    ledger = out.with_name("results.csv.ledger")

    def kept() -> int:
        with closing(sqlite3.connect(ledger)) as book:
            return int(book.execute("SELECT count(*) FROM cells").fetchone()[0])

    with subprocess.Popen([*command, str(out)], stderr=subprocess.DEVNULL) as running:
        until = time.monotonic() + 60
        while time.monotonic() < until and running.poll() is None:
            time.sleep(0.02)
            with suppress(sqlite3.Error):
                if ledger.exists() and kept() >= 2:
                    break
        running.kill()
    assert running.returncode == -signal.SIGKILL, "it was killed before its end"
    assert not out.exists()
    assert 2 <= kept() < 16
    before = dict(sqlite3.connect(ledger).execute("SELECT key, rows FROM cells"))
    assert subprocess.run([*command, str(out)], check=False).returncode == 0
    assert kept() == 16
    after = dict(sqlite3.connect(ledger).execute("SELECT key, rows FROM cells"))
    assert before.items() <= after.items(), "what was solved before is not solved again"
    whole = sweep(ONE, [("marginal-cost", np.linspace(0.2, 0.5, 8)), ("capability.b", [1.0, 2.0])], **QUICK)
    pd.testing.assert_frame_equal(pd.read_csv(out), whole, rtol=1e-12)


def test_two_jobs_give_the_bits_of_one() -> None:
    pd.testing.assert_frame_equal(
        sweep(ONE, AXES[:1], jobs=2, **QUICK), sweep(ONE, AXES[:1], jobs=1, **QUICK), check_exact=True
    )


def test_a_failed_cell_is_recorded_and_the_others_go_on() -> None:
    found = sweep(ONE, [("marginal-cost", [0.4, 9.0])], **QUICK)
    failed = found[found["failed"].notna()]
    assert list(failed["marginal-cost"]) == [9.0]
    assert "not below its highest price" in failed["failed"].iloc[0]
    assert len(found) == 5


def test_an_error_nobody_expected_fails_its_cell_only_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    solve = _sweep.equilibrium

    def fragile(market: Market, **options: object) -> object:
        if market.providers[0].marginal_cost == 0.5:
            raise MemoryError("too much")
        return solve(market, **options)

    monkeypatch.setattr(_sweep, "equilibrium", fragile)
    found = sweep(ONE, AXES[:1], ledger=tmp_path / "ledger", **QUICK)
    assert list(found["failed"].dropna()) == ["MemoryError: too much"]
    assert len(found) == 5
    monkeypatch.setattr(_sweep, "equilibrium", solve)
    again = sweep(ONE, AXES[:1], ledger=tmp_path / "ledger", **QUICK)
    assert "failed" not in again
    assert len(again) == 8


def test_the_key_of_a_cell_holds_all_that_the_answer_depends_on() -> None:
    def key(market: Market = ONE, cell: dict | None = None, **options: object) -> str:
        return _sweep._key(market, market.consumers, cell or {"value": 1.0}, {**QUICK, **options})

    dearer = replace(ONE, providers=(replace(ONE.providers[0], spend=[0.25, 0.5]), ONE.providers[1]))
    others = [key(dearer), key(cell={"value": 2.0}), key(seed=1), key(tick=0.1), key(demand=Logit(scale=0.1)), key()]
    others += [key(replace(ONE, consumers=())), key(replace(ONE, arbitrageurs=())), key(private=["a"]), key(bootstrap=2)]
    assert len(set(others)) == len(others)


def test_the_number_of_arbitrageurs_is_an_axis() -> None:
    found = sweep(ONE, [("arbitrageurs", [0, 1, 2])], **QUICK)
    assert set(found["regime"]) == {"quoting"}
    solved = found[found["prices"] == "posted"].set_index("arbitrageurs")
    named = equilibrium(ONE, regimes=["direct", "monopoly", "competitive"], tick=0.05, points=16).to_frame()
    named = named[named["prices"] == "posted"]
    for column in ("revenue a", "revenue b", "arbitrageurs' profit", "consumer surplus", "solved share"):
        np.testing.assert_allclose(solved[column], named[column], rtol=1e-9, atol=1e-12, err_msg=column)
    with pytest.raises(UsageError, match="not a number of arbitrageurs"):
        _sweep.varied(ONE, ONE.consumers, {"arbitrageurs": 0.5})


def test_a_private_student_is_run_by_arbitrageurs_only_and_sells_nothing_by_itself() -> None:
    found = equilibrium(ONE, private=["a"], **QUICK)
    assert found.players == (1,)
    for group in (found.regimes, found.posted):
        assert group["direct"].outcome.units[0, 0] == 0.0
        assert group["competitive"].outcome.units[0, 0] > 0.0
        assert group["competitive"].outcome.profit[0, 0] == 0.0
        assert group["competitive"].prices[:, 0] == pytest.approx(1.0)
    with pytest.raises(UsageError, match="private"):
        equilibrium(ONE, private=["a"], strategic=["a"], **QUICK)


def test_a_sweep_carries_bands_and_draws_comparative_statics(tmp_path: Path) -> None:
    found = sweep(ONE, [("value", [0.5, 1.0]), ("marginal-cost", [0.2])], **{**QUICK, "bootstrap": 3, "seed": 2})
    low, high = found["consumer surplus p05"], found["consumer surplus p95"]
    assert (low <= high).all()
    assert (low < high).any()
    paths = save_sweep_figures(found, ["value", "marginal-cost"], tmp_path, "USD", "note")
    assert [path.name for path in paths] == ["statics-value.png"], "an axis of one value has no figure"
    with pytest.raises(UsageError, match="at least two cells"):
        save_sweep_figures(found, ["marginal-cost"], tmp_path, "USD", "note")


def test_an_unknown_backend_is_told() -> None:
    with pytest.raises(UsageError, match="unknown backend"):
        sweep(ONE, AXES, backend="ray", **QUICK)


def test_a_dask_cluster_gives_the_bits_of_one_process() -> None:
    pytest.importorskip("distributed", reason="Dask's distributed is not installed")
    pd.testing.assert_frame_equal(
        sweep(ONE, AXES[:1], jobs=2, backend="dask", **QUICK), sweep(ONE, AXES[:1], **QUICK), check_exact=True
    )


def test_every_axis_changes_what_it_says() -> None:
    consumers = (
        *ONE.consumers,
        Value(value=3.0),
        Target(level=0.5, budget=1.0),
        Population(distribution="uniform", parameters=(1, 2)),
    )

    def cell(name: str, value: float) -> tuple:
        return _sweep.varied(ONE, consumers, {name: value})

    assert [p.marginal_cost for p in cell("marginal-cost.b", 0.1)[0].providers] == [0.4, 0.1]
    np.testing.assert_allclose(cell("capability.b", 2.0)[0].providers[1].spend, [0.25, 0.25])
    assert cell("price.a", 1.5)[0].prices[0] == 1.5
    assert cell("overhead", 0.2)[0].arbitrageurs[0].overhead == 0.2
    assert cell("max-budget", 1.0)[2] == {"max_budget": 1.0}
    assert cell("sigma", 0.5)[1][0].parameters == (2.0, 0.5)
    scaled = cell("value", 2.0)[1]
    assert (scaled[0].parameters, scaled[1].value, scaled[2].budget, scaled[3].parameters) == ((4.0, 1.0), 6.0, 2.0, (2, 4))
    for wrong in ("nothing", "sigma.a", "capability", "overhead.nobody"):
        with pytest.raises(UsageError):
            cell(wrong, 1.0)


@pytest.mark.parametrize("over", [[], [("value", [1.0]), ("value", [2.0])]])
def test_a_sweep_that_makes_no_sense_is_refused(over: list) -> None:
    with pytest.raises(UsageError):
        sweep(ONE, over, **QUICK)


def test_a_file_that_is_no_ledger_is_told(tmp_path: Path) -> None:
    wrong = tmp_path / "ledger"
    wrong.write_text("no database " * 100)
    with pytest.raises(UsageError, match="cannot be used as a ledger"):
        sweep(ONE, AXES, ledger=wrong, **QUICK)
    with pytest.raises(sqlite3.Error):
        sqlite3.connect(wrong).execute("SELECT 1 FROM cells")


def test_bands_hold_the_same_figures_resampled() -> None:
    found = equilibrium(ONE, bootstrap=8, seed=3, **QUICK)
    again = equilibrium(ONE, bootstrap=8, seed=3, **QUICK)
    assert found.bands == again.bands
    assert set(found.bands) == {f"{r}, {at}" for r in QUICK["regimes"] for at in ("posted", "equilibrium")}
    for columns in found.bands.values():
        for low, high in columns.values():
            assert low <= high
    low, high = found.bands["direct, equilibrium"]["consumer surplus"]
    assert low < high
    assert found.to_dict()["regimes"]["direct"]["bands"]["consumer surplus"] == [low, high]


def test_differences_between_regimes_are_taken_on_the_same_resample() -> None:
    """Resampling moves both regimes alike, so a difference spreads less than the bands of what it is taken from."""
    found = equilibrium(ONE, bootstrap=8, seed=3, **QUICK)
    key = "direct to competitive, posted"
    assert set(found.differences) == {key, "direct to competitive, equilibrium"}
    frame = found.to_frame().set_index(["regime", "prices"])
    change = frame.loc[("competitive", "posted"), "consumer surplus"] - frame.loc[("direct", "posted"), "consumer surplus"]
    assert found.differences[key]["consumer surplus"] == pytest.approx(change)
    low, high = found.spread.differences[key]["consumer surplus"]
    assert 0 <= low <= high, "at posted prices nobody loses by arbitrage, on any resample"
    first, second = (found.bands[f"{name}, posted"]["consumer surplus"] for name in QUICK["regimes"])
    assert high - low < (second[1] - second[0]) + (first[1] - first[0])
    told = found.to_dict()["differences"][key]["consumer surplus"]
    assert told == {"change": found.differences[key]["consumer surplus"], "p05": low, "p95": high}
    assert "differences" not in equilibrium(ONE, **QUICK).to_dict()


def test_the_ledger_keeps_answers_apart_by_all_that_they_depend_on(tmp_path: Path) -> None:
    """One ledger for different consumers, markets, options and cells: every answer is the one without a ledger."""
    poorer = (Population(distribution="lognormal", parameters=(0.5, 1.0)),)
    dearer = replace(ONE, providers=tuple(replace(p, spend=2 * p.spend) for p in ONE.providers))
    cell = [("marginal-cost", [0.3])]
    asked: list[tuple[Market, list[tuple[str, list[float]]], dict]] = [
        (ONE, cell, QUICK),
        (ONE, cell, {**QUICK, "consumers": poorer}),
        (dearer, cell, QUICK),
        (ONE, cell, {**QUICK, "tick": 0.1}),
        (ONE, [("marginal-cost", [0.4])], QUICK),
        (ONE, [("value", [0.3])], QUICK),
    ]
    ledger, tables = tmp_path / "ledger", []
    for market, over, options in asked:
        kept = sweep(market, over, ledger=ledger, **options)
        pd.testing.assert_frame_equal(kept, sweep(market, over, **options))
        tables.append(kept.drop(columns=[name for name, _ in over]).to_json())
    assert len(set(tables)) == len(asked), "they are different answers"
