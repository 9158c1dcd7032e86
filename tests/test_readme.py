"""What the README shows is what the commands print: short ones run again, the others compared with what was stored."""

from __future__ import annotations

import pytest
import readme
from readme import Block, blocks, missing, renewed, run, sections, stored

BLOCKS = blocks(readme.README.read_text(encoding="utf-8"))
OUTPUTS = stored()


def rerun(least: float, most: float) -> list[Block]:
    """Blocks whose command needs no logs and took so many seconds when it was stored."""
    return [b for b in BLOCKS if not b.on_logs and b.command in OUTPUTS and least <= OUTPUTS[b.command]["seconds"] < most]


def title(block: Block) -> str:
    return block.command


@pytest.mark.parametrize("block", BLOCKS, ids=title)
def test_a_block_shows_what_its_command_printed_when_it_was_stored(block: Block) -> None:
    assert block.lines, "a command without its output"
    if block.on_logs and block.command not in OUTPUTS:
        pytest.skip("not stored since its options or the rules changed: run python tests/readme.py with the logs")
    assert block.command in OUTPUTS, "run python tests/readme.py"
    assert missing(block.lines, "\n".join(OUTPUTS[block.command]["output"])) == []


@pytest.mark.parametrize("block", rerun(0, 20), ids=title)
def test_a_block_shows_what_its_command_prints(block: Block) -> None:
    assert missing(block.lines, "\n".join(run(block.command)["output"])) == []


@pytest.mark.slow
@pytest.mark.parametrize("block", rerun(20, 120), ids=title)
def test_a_block_shows_what_its_longer_command_prints(block: Block) -> None:
    assert missing(block.lines, "\n".join(run(block.command)["output"])) == []


def test_lines_must_be_there_and_in_order() -> None:
    printed = "title\n  a 1\n  b 2\n\nother\n  c 3"
    assert missing(("title", "  b 2", "", "other", "  c 3"), printed) == []
    assert missing(("  b 2", "  a 1"), printed) == ["  a 1"]
    assert missing(("title", "  a 2"), printed) == ["  a 2"]


def test_a_block_must_name_its_command() -> None:
    with pytest.raises(ValueError, match="names no command"):
        blocks("```text\nCosts\n```\n")
    assert blocks("```text\n$ eqsolver solve x.toml\nCosts\n```\n") == [Block("eqsolver solve x.toml", ("Costs",))]


def test_blocks_are_renewed_section_by_section() -> None:
    text = "before\n```text\n$ eqsolver solve x.toml\nMean over 3 levels\n  old 1\n\nPolicies\n  p\n```\nafter\n"
    printed = ["Head", "", "Mean over 14 levels", "  new 2", "", "Policies", "  q", "  r", "", "Tail"]
    outputs = {"eqsolver solve x.toml": {"output": printed}}
    shown = "before\n```text\n$ eqsolver solve x.toml\nMean over 14 levels\n  new 2\n\nPolicies\n  q\n  r\n```\nafter\n"
    assert renewed(text, outputs) == shown
    assert renewed(text, {}) == text
    assert list(sections(printed)) == ["Head", "Mean over # levels", "Policies", "Tail"]
