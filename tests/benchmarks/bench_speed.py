"""Time and memory, part by part: ``python bench_speed.py [--part NAME] [--bench BENCH]``.

======== ==========================================================================
count    floating-point work and bytes of a 4096 x 4096 micrograph and of a training
         step, and achieved over possible at the rates of yardsticks timed beside
stages   time and memory of picking 4096 x 4096 micrographs, by stage
pick     marginal CPU time of ``frostpick pick`` a 752 x 720 micrograph, start-up apart
train    CPU seconds of training ``--start-model none`` to Topaz's recorded AP; needs --bench
memory   most host memory of a training on 1000 micrographs of 4096 x 4096
======== ==========================================================================

Without ``--part``: count, stages and pick. Every part makes its own files in a temporary
folder. Figures are CPU seconds where they say so: on a machine that others use they are the
ones to trust. The yardsticks are a plain 3 x 3 convolution and a copy of memory, in the
same process: what the machine gives at that moment.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

# Threads that spin while they wait burn the CPU time that is measured; torch reads this on import.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from speed.files import make_files, make_model, usual_network

__all__ = ["main", "make_files", "make_model"]

PARTS = ("count", "stages", "pick", "train", "memory")
DEFAULT = ("count", "stages", "pick")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--bench", type=Path, help="development data, for train")
    parser.add_argument(
        "--network",
        default=usual_network(),
        help="a model (general where it is shipped), or untrained: resnet8, conv127, ...",
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--side", type=int, default=4096, help="of stages and memory, in pixels")
    parser.add_argument("--diameter", type=float, default=180.0, help="on large ones, in pixels")
    parser.add_argument("--large", type=int, default=10, help="micrographs of stages")
    parser.add_argument("--lengths", default="20,60,100,140", help="jobs of pick, in micrographs")
    parser.add_argument("--repeats", type=int, default=2, help="jobs of each length")
    parser.add_argument("--first-epochs", type=int, default=1, help="of train")
    parser.add_argument("--draw", type=int, default=0, help="draw of labels of train")
    parser.add_argument("--micrographs", type=int, default=1000, help="of memory")
    parser.add_argument("--scratch", type=Path, help="folder for the files of memory")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Run the parts that were asked for."""
    options = parse()
    for part in [options.part] if options.part else DEFAULT:
        if part == "count":
            from speed.count import count as run
        elif part == "stages":
            from speed.stages import stages as run
        elif part == "pick":
            from speed.marginal import pick as run
        elif part == "train":
            from speed.reach import train as run
        else:
            from speed.memory import memory as run
        if not options.measure:
            print(f"== {part}", flush=True)
        run(options)


if __name__ == "__main__":
    main()
