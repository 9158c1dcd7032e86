"""Sweeps resume, do not depend on the number of jobs, and keep what failed; bands are those of resampled games."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from eqsolver import UsageError, equilibrium, sweep
from eqsolver.game import _sweep
from eqsolver.market import Arbitrageur, Geometric, Market, Population, Provider, Target, Value

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
        return solve(*cell)  # type: ignore[arg-type]

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
