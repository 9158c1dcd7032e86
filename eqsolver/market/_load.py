"""One door for every market file: a specification in TOML, or attempt logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

from eqsolver._base import MarketError
from eqsolver.market._market import Market


def load(
    *paths: str | PathLike[str],
    unit: str | None = None,
    providers: Sequence[str] | None = None,
    free: Sequence[str] = (),
) -> Market:
    """The market in one TOML file, or in attempt logs (JSONL files and folders of them, a provider each).

    Parameters
    ----------
    paths : one `.toml` file, see `read_spec`; or log files and folders, see `read_logs`.
    unit : what money is called; None is what the file says, or USD. Nothing is converted.
    providers : restrict the market to these; of logs, only theirs are read, so that no problem is dropped for another's sake.
    free : names of providers that cost nothing: their attempts cost 0 in the file, or it does not say.

    Raises
    ------
    MarketError : a file cannot be read, or says what cannot be; or specifications are mixed with other files.
    """
    from eqsolver.market._faults import fault  # pydantic loads with these: only when a file is read
    from eqsolver.market._logs import read_logs
    from eqsolver.market._spec import read_spec

    if not paths:
        raise MarketError("nothing to load: name a TOML file, log files, or a folder of logs")
    files = [Path(path) for path in paths]
    specifications = [file for file in files if file.suffix.lower() == ".toml"]
    if not specifications:
        return read_logs(files, unit=unit, providers=providers, free=free)
    if len(files) > 1:
        others = "logs" if len(files) > len(specifications) else "a second one"
        raise fault(specifications[0], f"a specification is a whole market and cannot be loaded with {others}")
    market = read_spec(files[0])
    market = market if unit is None else replace(market, unit=unit)
    market.positions(list(free), "free")
    for name in free:
        if not next(p for p in market.providers if p.name == name).free:
            raise fault(files[0], f"provider {name!r} has costs; state free = true in the file and leave them out")
    return market if providers is None else market.restrict(providers)
