"""One door for every market file: a specification in TOML, or attempt logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

from eqsolver._base import MarketError
from eqsolver.logs import LogOptions
from eqsolver.market._market import Market


def provider_names(paths: Sequence[str | PathLike[str]]) -> tuple[str, ...]:
    """Names of the providers of one TOML file, or of logs of eqsolver's own; none of other logs, which have to be read first.

    Raises `MarketError` if the TOML file cannot be read, or says what cannot be.
    """
    from eqsolver.market._log_files import log_files
    from eqsolver.market._spec import read_spec

    files = [Path(path) for path in paths]
    if any(file.suffix.lower() == ".toml" for file in files):
        return read_spec(files[0]).names
    try:
        return tuple(file.name for file in log_files(files))
    except MarketError:
        return ()


def load(
    *paths: str | PathLike[str],
    unit: str | None = None,
    providers: Sequence[str] | None = None,
    free: Sequence[str] = (),
    logs: LogOptions | None = None,
) -> Market:
    """The market in one TOML file, in attempt logs (JSONL files and folders of them, a provider each), or in other tools' logs.

    Parameters
    ----------
    paths : one `.toml` file, see `read_spec`; or log files and folders, see `read_logs`; of other tools, see `read_foreign`.
    unit : what money is called; None is what the file says, or USD. Nothing is converted.
    providers : restrict the market to these; of logs, only theirs are read, so that no problem is dropped for another's sake.
    free : names of providers that cost nothing: their attempts cost 0 in the file, or it does not say.
    logs : how logs of other tools are read; with it, our own are read as such, too.

    Raises
    ------
    MarketError : a file cannot be read, or says what cannot be; or specifications are mixed with other files.
    """
    from eqsolver.logs import is_foreign
    from eqsolver.market._faults import fault  # pydantic loads with these: only when a file is read
    from eqsolver.market._logs import read_logs
    from eqsolver.market._spec import read_spec

    if not paths:
        raise MarketError("nothing to load: name a TOML file, log files, or a folder of logs")
    files = [Path(path) for path in paths]
    specifications = [file for file in files if file.suffix.lower() == ".toml"]
    if not specifications and (logs is not None or any(map(is_foreign, files))):
        from eqsolver.market._attempts import read_foreign

        options = replace(logs or LogOptions(), free=tuple(free))
        return read_foreign(files, options, unit=unit, providers=providers).market
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
