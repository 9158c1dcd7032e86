"""`python -m eqsolver`, and the script `eqsolver`."""

from __future__ import annotations

from eqsolver._process import process


def main() -> None:
    """Run the command line of this process, whose imports may be interrupted too."""
    process(_command)


def _command() -> None:
    from eqsolver.cli import app

    app()


if __name__ == "__main__":
    main()
