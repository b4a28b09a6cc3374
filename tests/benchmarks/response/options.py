"""The command line that the benchmarks of diameters and of false picks share."""

from __future__ import annotations

import argparse
from pathlib import Path

from unseen.plan import OLD


def parse(description: str | None, out: str, arguments: list[str] | None) -> argparse.Namespace:
    """Read a command line; ``out`` is the folder of results where none is given."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0] if description else "")
    parser.add_argument("--bench", type=Path, required=True, help="development data")
    parser.add_argument("--models", nargs="+", default=["general"], help="shipped names or paths")
    parser.add_argument(
        "--sets", default=",".join(OLD), help="comma list, of unseen proteins' sets too"
    )
    parser.add_argument(
        "--unseen", type=Path, default=Path(".bench/unseen/sets"), help="where those sets are"
    )
    parser.add_argument("--out", type=Path, default=Path(out))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args(arguments)
