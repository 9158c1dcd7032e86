"""The blocks of output in the README: which command each names, what it printed when last run, and how to run it again.

A block of output is a fence of `text` whose first line is `$ eqsolver ...`; the lines below are lines of that command's output,
in order, whole sections of it. `python tests/readme.py` runs the commands again, stores what they print with version and
seconds in `readme_outputs.json`, and puts the sections that the README shows in its blocks:

    python tests/readme.py                  every command; those on logs need EQSOLVER_DATA
    python tests/readme.py --only enter     those that contain a word
    python tests/readme.py --stored         write the README's blocks from what is stored, running nothing
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import re
import resource
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
STORE = Path(__file__).with_name("readme_outputs.json")
DATA = Path(os.environ.get("EQSOLVER_DATA") or ROOT.parent / "shared" / "data")
LOGS = {"logs": DATA / "swebench", "family": DATA / "swebench" / "distill"}
"""Folders that the README calls by other names than where they lie."""

FENCE = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of output: the command that its first line names, and the lines below."""

    command: str
    lines: tuple[str, ...]

    @property
    def on_logs(self) -> bool:
        """Whether the command reads logs that are no part of the repository."""
        return any(word.strip("/") in LOGS for word in shlex.split(self.command))


def blocks(text: str) -> list[Block]:
    """Every block of output in a README; a `ValueError` for one that names no command."""
    found = []
    for body in FENCE.findall(text):
        first, *lines = body.rstrip("\n").split("\n")
        if not first.startswith("$ eqsolver "):
            raise ValueError(f"a block of output names no command: its first line is {first!r}, not `$ eqsolver ...`")
        found.append(Block(command=first.removeprefix("$ "), lines=tuple(lines)))
    return found


def missing(shown: tuple[str, ...], printed: str) -> list[str]:
    """Lines that a block shows and the output does not have, in this order."""
    rest, lost = iter([line.rstrip() for line in printed.split("\n")]), []
    for line in (line for line in shown if line.strip()):
        if line.rstrip() not in rest:
            lost.append(line)
            rest = iter([other.rstrip() for other in printed.split("\n")])
    return lost


def run(command: str) -> dict[str, Any]:
    """What a command prints, with version and seconds of CPU; files that it writes go into a folder that is thrown away."""
    words = shlex.split(command)
    with tempfile.TemporaryDirectory() as folder:
        for name, place in {**LOGS, "models": ROOT / "models"}.items():
            (Path(folder) / name).symlink_to(place)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "eqsolver", *words[1:]],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode > 1:
        raise RuntimeError(f"{command}: exit {done.returncode}: {done.stderr.strip()}")
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    version = importlib.metadata.version("eqsolver")
    return {"version": version, "seconds": round(seconds, 1), "output": done.stdout.rstrip("\n").split("\n")}


def stored() -> dict[str, dict[str, Any]]:
    """By command, what `run` gave when it was stored."""
    found: dict[str, dict[str, Any]] = json.loads(STORE.read_text(encoding="utf-8")) if STORE.exists() else {}
    return found


def renewed(text: str, outputs: dict[str, dict[str, Any]]) -> str:
    """The README with every section that its blocks show replaced by the section of the same title in the stored outputs."""

    def block(match: re.Match[str]) -> str:
        first, *lines = match.group(1).rstrip("\n").split("\n")
        known = outputs.get(first.removeprefix("$ "))
        if known is None:
            return match.group(0)
        printed = sections(known["output"])
        shown = [printed.get(title, part) for title, part in sections(lines).items()]
        return "\n".join(["```text", first, *"\n\n".join("\n".join(part) for part in shown).split("\n"), "```"])

    return FENCE.sub(block, text)


def sections(lines: list[str]) -> dict[str, list[str]]:
    """Parts of an output between blank lines, by their first line without its numbers."""
    found: dict[str, list[str]] = {}
    part: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            part.append(line.rstrip())
        elif part:
            found[re.sub(r"[-+$]?[0-9][0-9.,e+-]*", "#", part[0])] = part
            part = []
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", help="commands that contain this")
    parser.add_argument("--stored", action="store_true", help="run nothing")
    asked = parser.parse_args()
    outputs = stored()
    commands = {block.command: block for block in blocks(README.read_text(encoding="utf-8"))}
    for command, block in commands.items():
        if asked.stored or asked.only not in command:
            continue
        if block.on_logs and not DATA.is_dir():
            print(f"not run, no logs at {DATA}: {command}", file=sys.stderr)
            continue
        outputs[command] = run(command)
        print(f"{outputs[command]['seconds']:6.1f} s  {command}", file=sys.stderr)
        kept = {name: outputs[name] for name in commands if name in outputs}
        STORE.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    README.write_text(renewed(text, outputs), encoding="utf-8")


if __name__ == "__main__":
    main()
