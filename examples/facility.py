#!/usr/bin/env python3
"""Pick a microscope session while it runs: a script that a facility can start from.

Every few minutes it looks for new micrographs below SESSION, picks those that are
not picked yet, and renews ``picks.star`` and the report. It can be stopped and
started at any time; nothing is picked twice.

    python examples/facility.py SESSION OUT --diameter 160 --rounds 1
"""

import argparse
import logging
import time
from pathlib import Path

import frostpick_jobs
from frostpick.errors import FrostpickError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("session", type=Path, help="folder that the micrographs arrive in")
    parser.add_argument("out", type=Path, help="folder for the results")
    parser.add_argument(
        "--model", default="general", help="model file, its folder or a shipped name"
    )
    parser.add_argument("--diameter", type=float, help="particle diameter in Angstrom")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or GPU numbers")
    parser.add_argument("--every", type=float, default=300.0, help="seconds between rounds")
    parser.add_argument("--rounds", type=int, default=0, help="stop after this many; 0 never")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    round_number = 0
    while options.rounds == 0 or round_number < options.rounds:
        if round_number:
            time.sleep(options.every)
        round_number += 1
        try:
            result = frostpick_jobs.pick(
                options.out,
                micrographs=options.session,
                model=options.model,
                diameter=options.diameter,
                device=options.device,
            )
        except FrostpickError as error:
            # A session that has not begun, or a disk that is away: try again next round.
            logging.error("round %d: %s", round_number, error)
            continue
        print(
            f"{result.micrographs} micrographs, {result.selected} particles, "
            f"{len(result.failed)} failed, threshold {result.threshold:.2f}"
        )


if __name__ == "__main__":
    main()
