#!/usr/bin/env python3
"""Train on a few hundred picks, then pick everything; on simulated data when none is given.

python examples/train_and_pick.py OUT
python examples/train_and_pick.py OUT --micrographs 'Micrographs/*.mrc' --picks picks.star \
    --diameter 160
"""

import argparse
from pathlib import Path

import frostpick_jobs
from frostpick.simulate import SimulationSettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--micrographs", nargs="+", help="folders, files or patterns")
    parser.add_argument("--picks", nargs="+", help="STAR, CSV, .box or Topaz text")
    parser.add_argument("--diameter", type=float, default=160.0, help="in Angstrom")
    parser.add_argument("--steps", type=int, help="length of each pass of the training")
    options = parser.parse_args()

    micrographs, picks = options.micrographs, options.picks
    if micrographs is None:
        data = frostpick_jobs.write_dataset(
            options.out / "data", SimulationSettings(micrographs=5, size=512)
        )
        micrographs, picks = [data.micrographs], [data.particles_csv]

    trained = frostpick_jobs.train(
        options.out / "train",
        micrographs=micrographs,
        labels=picks,
        diameter=options.diameter,
        steps=options.steps,
    )
    picked = frostpick_jobs.pick(options.out / "pick", micrographs=micrographs, model=trained.model)
    print(
        f"model {trained.model_path}\n{picked.selected} particles in "
        f"{options.out / 'pick' / 'picks.star'}"
    )


if __name__ == "__main__":
    main()
