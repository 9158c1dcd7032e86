"""What happens to an answer where streams, folders and files fail it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from test_cli import SPECIFICATION, run

from eqsolver import EqsolverError, UsageError, _program
from eqsolver._files import check_distinct, check_writable, existing_file, write_whole, written
from eqsolver.cli import app

PLAIN = SPECIFICATION[: SPECIFICATION.index("[[arbitrageurs]]")]


@pytest.fixture
def market(tmp_path: Path) -> Path:
    path = tmp_path / "two.toml"
    path.write_text(PLAIN)
    return path


def shell(command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A command of bash in which `eqsolver` is this one."""
    whole = f'set -o pipefail; eqsolver() {{ "{sys.executable}" -m eqsolver "$@"; }}; {command}'
    environment = {**os.environ, **more}
    return subprocess.run(["bash", "-c", whole], capture_output=True, text=True, env=environment, check=False, timeout=120)


def test_a_reader_that_has_seen_enough_finds_every_file_written(market: Path, tmp_path: Path) -> None:
    done = shell(f"eqsolver solve {market} --levels 0.8 --json {tmp_path}/a.json --figures {tmp_path}/figures | head -n 1")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "two: 2 providers, 2 problems\n"
    assert json.loads((tmp_path / "a.json").read_text())["levels"] == [0.8]
    assert len(list((tmp_path / "figures").iterdir())) == 5
    assert all(line.startswith("wrote ") for line in done.stderr.splitlines())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("command", ["schema", "solve {market} --levels 0.8 --json {out}"])
def test_a_full_stdout_is_one_line_and_two_and_files_are_there(command: str, market: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.json"
    done = shell(f"eqsolver {command.format(market=market, out=out)} > /dev/full")
    assert done.returncode == 2
    assert done.stderr == "eqsolver: stdout cannot be written to: No space left on device\n"
    assert out.exists() == ("solve" in command)


def test_a_closed_stdout_is_told_before_the_work(market: Path, tmp_path: Path) -> None:
    done = shell(f"eqsolver solve {market} --json {tmp_path}/a.json >&-")
    assert (done.returncode, done.stderr) == (2, "eqsolver: stdout is closed\n")
    assert not (tmp_path / "a.json").exists()


def test_a_closed_stderr_takes_no_file_and_no_answer(market: Path, tmp_path: Path) -> None:
    done = shell(f"eqsolver solve {market} --levels 0.8,0.9999 -q --json {tmp_path}/a.json 2>&-")
    assert (done.returncode, done.stdout) == (1, "")
    assert json.loads((tmp_path / "a.json").read_text())["levels"] == [0.8, 0.9999]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_an_encoding_without_epsilon_shows_a_question_mark(encoding: str, tmp_path: Path) -> None:
    market = tmp_path / "two.toml"
    market.write_text(PLAIN.replace('"cheap"', '"日本"').replace("cheap =", '"日本" ='), encoding="utf-8")
    done = shell(f"eqsolver equilibrium {market} --value value:5 --regimes direct", PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert "??" in done.stdout
    assert done.stderr == ""


def test_the_package_is_run_as_a_module(market: Path) -> None:
    assert shell("eqsolver --version").stdout.startswith("eqsolver ")


def test_an_interrupt_during_imports_is_one_line_and_130() -> None:
    script = (
        "import sys, os, signal\n"
        "class Slow:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'numpy': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Slow())\n"
        "sys.argv = ['eqsolver', 'solve', 'absent.toml']\n"
        "from eqsolver.__main__ import main\n"
        "main()\n"
    )
    for told in (script, script.replace("'numpy'", "'typer'")):
        done = subprocess.run(
            [sys.executable, "-c", told], capture_output=True, text=True, check=False, preexec_fn=_interruptible
        )
        assert (done.returncode, done.stderr) == (130, "eqsolver: interrupted\n")


def _interruptible() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_fault_of_ours_is_one_line_and_three(market: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr("eqsolver.cli.read_market", broken)
    done = run("solve", market)
    assert done.exit_code == 3
    (line,) = done.stderr.splitlines()
    assert "failed inside" in line
    assert "ZeroDivisionError: division by zero" in line
    monkeypatch.setenv("EQSOLVER_TRACEBACK", "1")
    assert "Traceback" in run("solve", market).stderr


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (KeyboardInterrupt(), 130, "eqsolver: interrupted\n"),
        (MemoryError(), 2, "eqsolver: not enough memory; try fewer --points or a lower --max-budget\n"),
        (UsageError("a: b\nc: d"), 2, "eqsolver: a: b\neqsolver: c: d\n"),
        (EqsolverError("odd"), 2, "eqsolver: odd\n"),
        (BrokenPipeError(), 0, ""),
    ],
)
def test_what_ends_a_command(error: BaseException, code: int, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _program.ended(error) == code
    assert capsys.readouterr().err == told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["solve", "x.toml", "--target", "3"], "eqsolver: no such option --target; see "),
        (["solve", "x.toml", "--tolerence", "3"], "eqsolver: no such option --tolerence; did you mean --tolerance?"),
        (["solve"], "eqsolver: Missing argument 'MARKET...'; see "),
        (["frobnicate"], "eqsolver: No such command 'frobnicate'; see "),
    ],
)
def test_a_command_line_that_makes_no_sense_is_one_line(arguments: list[str], told: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(told)
    assert done.stdout == ""


def test_help_names_the_extra_that_dask_needs() -> None:
    assert "eqsolver[dask]" in "".join(run("sweep", "--help").stdout.split()).replace("│", "")


def test_embedded_in_another_program_a_command_returns(capsys: pytest.CaptureFixture[str]) -> None:
    app(["--version"], standalone_mode=False)
    assert capsys.readouterr().out.startswith("eqsolver ")


REFUSED = {
    "json": ("solve", ["--json", "{path}"]),
    "figures": ("solve", ["--figures", "{path}"]),
    "robust": ("robust", ["--resamples", "problems:5", "-o", "{path}"]),
    "sweep": ("sweep", ["--over", "value=1", "--value", "value:5", "-o", "{path}"]),
    "learn": ("learn", ["--json", "{path}"]),
}


UNUSABLE = ["{tmp}/" + "x" * 300 + ".toml", "{tmp}/two.toml/below.csv", "{tmp}/\x00.csv"]
"""A name that is too long, a file where a folder is needed, a character that no name holds."""


@pytest.mark.parametrize("command", REFUSED)
@pytest.mark.parametrize("path", UNUSABLE)
def test_outputs_that_cannot_be_are_one_line_before_the_work(command: str, path: str, market: Path, tmp_path: Path) -> None:
    name, options = REFUSED[command]
    done = run(name, market, *(o.format(path=path.format(tmp=tmp_path)) for o in options))
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [market]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sweep", "{m}", "--over", "value=1,2", "--value", "value:5", "-o", "{t}/a.xlsx"], "ends in .csv or .parquet"),
        (["sweep", "{m}", "--over", "value=1,2", "--value", "value:5", "-o", "-"], "stands for stdout, and a file is needed"),
        (["sweep", "{m}", "--over", "value=1", "--value", "value:5", "-o", "{t}/a.csv", "--figures", "{t}/f"], "two values"),
        (["robust", "{m}", "--resamples", "problems:5", "-o", "-"], "stands for stdout"),
        (["robust", "{m}", "--resamples", "problems:5", "-o", "{t}/a.json"], "ends in .toml"),
        (["robust", "{m}", "--resamples", "problems:5", "-o", "{m}"], "is read, and would be replaced"),
        (["solve", "{m}", "--json", "{m}"], "is read, and would be replaced"),
        (["robust", "{m}", "--resamples", "problems:5", "-o", "{t}/a.toml", "--json", "{t}/a.toml"], "written twice"),
        (["calibrate", "{t}", "-o", "{t}/a.csv"], "ends in .toml"),
        (["solve", "{m}", "--figures", "-"], "a folder is needed"),
    ],
)
def test_outputs_that_make_no_sense_are_refused_before_the_work(
    arguments: list[str], told: str, market: Path, tmp_path: Path
) -> None:
    done = run(*(a.format(m=market, t=tmp_path) for a in arguments))
    assert done.exit_code == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [market]
    assert market.read_text() == PLAIN


def test_a_log_is_not_replaced_by_an_answer_nor_joined_by_one(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "x", "attempts": [1], "mean_cost": 1.0}\n')
    for out in ("a.jsonl", "b.jsonl"):
        done = run("solve", tmp_path, "--json", tmp_path / out)
        assert done.exit_code == 2
        assert out in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]
    check_distinct([tmp_path / "b.json", Path(os.devnull), Path(os.devnull)], [tmp_path])


def test_a_mixture_without_a_cap_is_refused_before_the_work_and_leaves_no_json(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    for name in "ab":
        lines = [json.dumps({"id": str(x), "attempts": [1, 0], "mean_cost": 1.0}) + "\n" for x in range(6)]
        (logs / f"{name}.jsonl").write_text("".join(lines))
    out, answer = tmp_path / "out.toml", tmp_path / "out.json"
    asked = ["robust", logs, "--resamples", "problems:5", "-o", out, "--json", answer]
    done = run(*asked)
    assert done.exit_code == 2
    assert "has no cap, and a specification needs one" in done.stderr
    assert not out.exists()
    assert not answer.exists()


def test_files_appear_together_or_not_at_all(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("old")
    with pytest.raises(RuntimeError, match="inside"), written({first: "new", second: b"new"}):
        raise RuntimeError("inside")
    assert first.read_text() == "old"
    assert list(tmp_path.iterdir()) == [first]
    with pytest.raises(UsageError, match="absent"), written({first: "new", tmp_path / "absent" / "x": "new"}):
        pass
    assert first.read_text() == "old"
    with written({first: "new", second: b"new"}):
        assert first.read_text() == "old", "in place once what is inside has succeeded"
    assert first.read_text() == second.read_text() == "new"


def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "answer"
    path.write_text("old")
    path.chmod(0o604)
    write_whole(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_text_that_cannot_name_a_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    assert existing_file(str(tmp_path / "there")) == tmp_path / "there"
    assert [existing_file(text) for text in ("", "x" * 5000, "\x00", str(tmp_path))] == [None] * 4


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_searched_is_told(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    for folder in (False, True):
        with pytest.raises(UsageError, match="Permission denied"):
            check_writable(tmp_path / "closed" / "x", folder=folder)


def test_a_domain_expression_longer_than_a_file_name_is_an_expression(market: Path) -> None:
    done = run("robust", market, "--domains", "class (" + "|".join(str(n) for n in range(100)) + ")" + "|zzzz" * 40)
    assert done.exit_code == 0, done.stderr
