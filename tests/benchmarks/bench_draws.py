"""Make the published draws of labels anew: ``python bench_draws.py --bench BENCH``."""

from __future__ import annotations

import argparse
from pathlib import Path

from accuracy.draws import FILE, publish
from accuracy.sets import BENCH, open_bench


def main() -> None:
    """Write ``accuracy/draws.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", type=Path, required=True)
    parser.add_argument("--file", type=Path, default=FILE)
    options = parser.parse_args()
    publish(open_bench(options.bench, list(BENCH)), options.file)
    print(options.file)


if __name__ == "__main__":
    main()
