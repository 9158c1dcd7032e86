"""Options and arguments that several commands share, as typer reads them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Accounting(StrEnum):
    """How money is counted."""

    attempts = "attempts"
    budget = "budget"


class Allocation(StrEnum):
    """What is allotted."""

    budget = "budget"
    attempts = "attempts"


MarketPaths = Annotated[
    list[Path], typer.Argument(metavar="MARKET...", help="A TOML specification, attempt logs (JSONL), or a folder of logs.")
]
LogPaths = Annotated[list[Path], typer.Argument(metavar="LOGS...", help="Attempt logs (JSONL), or a folder of them.")]
Providers = Annotated[str | None, typer.Option(metavar="a,b", help="Restrict the market to these providers.")]
MaxBudget = Annotated[float | None, typer.Option(help="The most allotted to one problem, money at list price.")]
Access = Annotated[str | None, typer.Option(metavar="a,b", help="What the arbitrageur may buy from. [default: all]")]
Accountings = Annotated[Accounting, typer.Option(help="Count only attempts made as spent, or leftover budget too.")]
Allocations = Annotated[Allocation, typer.Option(help="Allot money per problem, or attempts.")]
MaxAttempts = Annotated[int | None, typer.Option(help="The most attempts per provider, with --allocation attempts.")]
Prices = Annotated[str | None, typer.Option(metavar="name=mult,...", help="Price multipliers instead of the market's.")]
Seed = Annotated[int, typer.Option(metavar="S", help="Seed of the resamples.")]
Points = Annotated[int | None, typer.Option(help="Grid points per provider. [default: refined to --tolerance]")]
Tolerance = Annotated[float, typer.Option(help="Refine until no optimum moves by more than this share.")]
Figures = Annotated[Path | None, typer.Option(metavar="DIR", help="Draw figures (PNG) into this folder.")]
Json = Annotated[Path | None, typer.Option("--json", metavar="PATH|-", help="Write the answer as JSON; - is stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No tables and no progress.")]
Unit = Annotated[str | None, typer.Option(help="What money is called; nothing is converted. [default: the file's, or USD]")]
