"""Which files are logs, and what their providers are called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from eqsolver._base import MarketError
from eqsolver._files import named_file
from eqsolver.market._faults import fault, unreadable


class LogFile(NamedTuple):
    """A log and the provider it is of."""

    name: str
    path: Path


def log_files(paths: Sequence[Path], providers: Sequence[str] | None = None) -> list[LogFile]:
    """The logs meant by files and folders, one per provider; of some providers, in their order.

    Parameters
    ----------
    paths : a file is the log of the provider it is named after, and `name=file` that of `name`. A folder stands for its own
        `*.jsonl`, sorted; one without any for those of its folders, whose providers are called `folder/file`.

    Raises
    ------
    MarketError : a path cannot be read or holds no logs, two logs have one name, or a provider has none.
    """
    files = [file for path in map(Path, paths) for file in _inside(path)]
    if not files:
        raise MarketError("no log files given")
    by_name: dict[str, LogFile] = {}
    for file in files:
        if file.name in by_name:
            told = f"a second file for provider {file.name!r}, after {by_name[file.name].path}"
            raise fault(file.path, f"{told}; rename or leave out one of them, or name it as NAME={file.path.name}")
        if not file.name.isprintable():
            raise fault(file.path, "the file's name becomes the provider's: rename it to printable characters")
        by_name[file.name] = file
    if providers is None:
        return files
    if not providers or len(set(providers)) != len(providers):
        raise MarketError(f"providers: name at least one, and none twice; found {', '.join(providers) or 'none'}")
    for name in providers:
        if name not in by_name:
            raise MarketError(f"providers: no log of {name!r}; there are {', '.join(by_name)}")
    return [by_name[name] for name in providers]


def _inside(path: Path) -> Iterator[LogFile]:
    """The logs of a file, of a folder, or of a folder's folders."""
    try:
        name, path = named_file(path)
        if not path.is_dir():
            yield LogFile(name or path.stem, path)
            return
        own = _logs(path)
        below = [(folder, log) for folder in sorted(path.iterdir()) if folder.is_dir() for log in _logs(folder)]
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None
    if not own and not below:
        raise fault(path, "no .jsonl files in this folder, nor in its folders (deeper ones are not searched)")
    if own:
        yield from (LogFile(log.stem, log) for log in own)
    else:
        yield from (LogFile(f"{folder.name}/{log.stem}", log) for folder, log in below)


def _logs(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix == ".jsonl" and not file.is_dir())
