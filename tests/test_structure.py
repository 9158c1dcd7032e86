"""The rooms: what each offers, which way imports point, and what a command's help waits for."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import eqsolver

PACKAGE = Path(eqsolver.__file__).parent
RANKS = {
    "logs": 0,
    "market": 1,
    "technology": 2,
    "estimate": 3,
    "posted": 3,
    "robust": 4,
    "game": 4,
    "report": 5,
    "cli": 6,
    "__main__": 7,
}
"""Data flows down this list. A room imports those above it, never below, and never one of its own rank but itself."""

FOUNDATION = {"_base", "_compiled", "_errors", "_files", "_ledger", "_process"}
"""Modules at the top that every room may import; they import none."""

COMMAND_LINE = {"cli", "_cli", "_cli_game", "_cli_learn", "_cli_logs", "_cli_robust", "_arguments", "_program"}
"""The command line: the commands, what they share, and how their arguments are read."""

ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """The parts of eqsolver that a module imports, at its top, inside functions or for types only."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: line {node.lineno}: a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in found if name.startswith("eqsolver.")}


def test_every_room_and_module_has_a_rank() -> None:
    at_top = {path.removesuffix(".py") for path in MODULES if "/" not in path}
    assert set(ROOMS) <= set(RANKS)
    assert at_top == FOUNDATION | COMMAND_LINE | {"__init__", "__main__"}


@pytest.mark.parametrize("module", [name for name in MODULES if name != "__init__.py"])
def test_imports_point_one_way(module: str) -> None:
    room = module.split("/")[0].removesuffix(".py")
    wanted = imports(PACKAGE / module)
    if room in FOUNDATION:
        assert wanted <= FOUNDATION
        return
    rank = RANKS["cli" if room in COMMAND_LINE else room]
    for other in wanted - FOUNDATION - {room}:
        assert other in RANKS or room in COMMAND_LINE, f"{module} imports eqsolver.{other}"
        assert RANKS.get(other, -1) < rank, f"{module} imports eqsolver.{other}, which lies below it"


@pytest.mark.parametrize("module", MODULES)
def test_a_room_is_entered_by_its_door(module: str) -> None:
    """Nobody imports a private module of another room."""
    room = module.split("/")[0]
    for node in ast.walk(ast.parse((PACKAGE / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("eqsolver."):
            _, other, *inside = str(node.module).split(".")
            assert not inside or other == room, f"{module}: line {node.lineno} imports {node.module}"


@pytest.mark.parametrize("name", ["eqsolver", *(f"eqsolver.{room}" for room in ROOMS)])
def test_what_is_listed_can_be_imported_and_what_can_be_imported_is_listed(name: str) -> None:
    room = importlib.import_module(name)
    assert len(room.__all__) == len(set(room.__all__))
    for public in room.__all__:
        found = getattr(room, public)
        assert found.__doc__ or not (inspect.isclass(found) or inspect.isfunction(found)), f"{name}.{public} has no docstring"
    assert set(room.__all__) <= set(dir(room)) | set(getattr(room, "_LATER", {}))
    missing = "frobnicate"
    with pytest.raises(AttributeError, match=f"has no attribute {missing!r}"):
        getattr(room, missing)
    offered = imported_names(Path(str(room.__file__)))
    assert offered == set(room.__all__), "what a door imports is what it lists"


def imported_names(door: Path) -> set[str]:
    """What an `__init__` imports from eqsolver, for types only or not."""
    return {
        alias.asname or alias.name
        for node in ast.walk(ast.parse(door.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("eqsolver.")
        for alias in node.names
    }


@pytest.mark.parametrize("name", eqsolver.__all__)
def test_a_public_name_is_what_its_room_offers(name: str) -> None:
    found = getattr(eqsolver, name)
    if not (inspect.isclass(found) or inspect.isfunction(found)):  # a union of types
        assert found is eqsolver.market.Consumers
        return
    room = found.__module__.split(".")[1]
    assert room == "_errors" or name in importlib.import_module(f"eqsolver.{room}").__all__


def test_no_public_name_is_hidden_by_the_room_of_that_name() -> None:
    """`from eqsolver import solve, technology` once gave the room, because importing `solve` had bound it."""
    script = (
        "from types import ModuleType\n"
        "import eqsolver\n"
        "from eqsolver import *\n"
        "both = [(name, found) for name in eqsolver.__all__ for found in (globals()[name], getattr(eqsolver, name))]\n"
        "print([name for name, found in both if isinstance(found, ModuleType)])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("arguments", [["--help"], ["solve", "--help"], ["calibrate", "--help"], ["--version"]])
def test_help_waits_for_no_heavy_library(arguments: list[str]) -> None:
    script = (
        "import sys\n"
        "from eqsolver.cli import app\n"
        f"app({arguments!r}, standalone_mode=False)\n"
        "heavy = {'numpy', 'scipy', 'cvxpy', 'pandas', 'matplotlib', 'sympy', 'nashpy', 'joblib'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "eqsolver" in done.stdout.lower() or "Usage" in done.stdout


def test_an_answer_without_figures_waits_for_nothing_that_it_does_not_use(tmp_path: Path) -> None:
    """`hand_over` once evaluated a lazy attribute, so that every command imported matplotlib: a second."""
    market = tmp_path / "market.toml"
    market.write_text(
        'max_budget = 2.0\nproviders = [{name = "a"}, {name = "b"}]\n'
        "classes = [{weight = 1.0, success = {a = 0.5, b = 0.75}, mean_cost = {a = 0.5, b = 1.0}}]\n"
    )
    script = (
        "import sys\n"
        "from eqsolver.cli import app\n"
        f"app(['solve', {str(market)!r}], standalone_mode=False)\n"
        "unused = {'matplotlib', 'pandas', 'cvxpy', 'sympy', 'nashpy', 'joblib', 'scipy.special', 'scipy.optimize'}\n"
        "print(sorted(unused & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"
    assert "schedule" in done.stdout
