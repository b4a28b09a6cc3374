"""Inputs of a pruning job on a folder: picks with micrographs, or extracted particles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from frostpick.errors import ConfigError, InputError
from frostpick.images import PixelSizes
from frostpick.images.content import ImageFileError
from frostpick.images.stack import Stack
from frostpick.types import LocalFile, Micrograph, ParticleStack
from frostpick_jobs.formats import read_pick_files, read_star_blocks
from frostpick_jobs.formats.star.particles import ParticleRows, read_particles
from frostpick_jobs.formats.star.tables import IMAGE
from frostpick_jobs.formats.walk import at_home
from frostpick_jobs.inputs.headers import with_header
from frostpick_jobs.inputs.rows import PickRows, pick_rows
from frostpick_jobs.job.host import Candidates, Judged

#: What --bad takes for "all that are not good".
REST = "rest"


@dataclass(frozen=True)
class PruneInputs:
    """What a user gave on the command line.

    Parameters
    ----------
    picks
        Files, folders and patterns of picks on ``micrographs``.
    particles
        A particles STAR file, or a stack of images; not with ``picks``.
    good, bad
        Files of known particles and of known non-particles: picks, or particles STAR
        files. ``bad`` may be ``rest``: all input that is not good.
    allow_missing
        Go on without folders of picks that cannot be read.
    """

    micrographs: Sequence[Micrograph]
    picks: tuple[str, ...] = ()
    particles: Path | None = None
    good: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    pixel_size_A: float | None = None
    allow_missing: bool = False

    def __post_init__(self) -> None:
        for name in ("good", "bad"):
            object.__setattr__(self, name, tuple(map(at_home, getattr(self, name))))
        if self.particles is not None:
            object.__setattr__(self, "particles", Path(at_home(str(self.particles))))

    def check(self) -> None:
        """Raise `ConfigError` where the inputs do not go together."""
        if bool(self.picks) == (self.particles is not None):
            raise ConfigError(
                "give either --picks with their --micrographs, or --particles; not "
                + ("both" if self.picks else "neither")
            )
        if self.picks and not self.micrographs:
            raise ConfigError("picks need the micrographs they lie on; give --micrographs")
        if self.bad == (REST,) and not self.good:
            raise ConfigError("--bad rest means all that is not good; give --good")

    @property
    def is_stack(self) -> bool:
        """True when ``particles`` is a stack of images rather than a STAR file."""
        return self.particles is not None and self.particles.suffix.lower() in (".mrcs", ".mrc")

    @cached_property
    def pick_rows(self) -> PickRows:
        """The picks as one table."""
        return self._rows_of(self.picks)

    @cached_property
    def particle_rows(self) -> ParticleRows:
        """The rows of the particles STAR file."""
        assert self.particles is not None
        return read_particles(self.particles, self.pixel_size_A)

    def candidates(self) -> Candidates:
        """Return the rows to decide on."""
        if self.picks:
            return self.pick_rows.candidates(self.micrographs)
        assert self.particles is not None
        if self.is_stack:
            return self._stack(self.particles)
        rows = self.particle_rows
        return Candidates(rows=len(rows), stacks=rows.stacks(), merit=rows.merit)

    def judged(self) -> Judged:
        """Return the labels."""
        good = self._labels(self.good) if self.good else None
        if not self.bad:
            return Judged(good)
        return Judged(good, self._rest() if self.bad == (REST,) else self._labels(self.bad, True))

    def _labels(self, files: tuple[str, ...], every: bool = False) -> Candidates:
        with_images = [Path(f) for f in files if self.particles is not None and _has_images(f)]
        if len(with_images) == len(files):
            parts = [read_particles(f, self.pixel_size_A) for f in with_images]
            stacks = [stack for part in parts for stack in part.stacks()]
            return Candidates(rows=sum(map(len, parts)), stacks=stacks)
        if not self.micrographs:
            raise ConfigError(
                f"{files[0]}: coordinates; expected particles with images (rlnImageName), or give "
                "the --micrographs that they lie on"
            )
        return self._rows_of(files, every).candidates(self.micrographs)

    def _rest(self) -> Candidates:
        if self.picks:
            rows = self.pick_rows.rows_not_in(self._rows_of(self.good))
            return self.pick_rows.candidates(self.micrographs, rows)
        if self.is_stack:
            raise ConfigError("--bad rest needs a particles STAR file with --particles")
        rest = np.arange(len(self.particle_rows))
        for file in self.good:
            good = read_particles(Path(file), self.pixel_size_A)
            rest = np.intersect1d(rest, self.particle_rows.rows_not_in(good))
        if len(rest) == len(self.particle_rows):
            raise InputError(
                f"{self.good[0]}: no image of it is among the input; expected a selection of "
                f"{self.particles}"
            )
        return Candidates(len(self.particle_rows), stacks=self.particle_rows.stacks(rows=rest))

    def _rows_of(self, files: tuple[str, ...], every: bool = False) -> PickRows:
        sizes = PixelSizes(self.pixel_size_A)
        return pick_rows(
            read_pick_files(files, allow_missing=self.allow_missing),
            self.micrographs,
            lambda micrograph: with_header(micrograph, sizes),
            every=every,
        )

    def _stack(self, path: Path) -> Candidates:
        try:
            stack = Stack.open(path)
        except (ImageFileError, OSError) as error:
            raise InputError(f"{path}: {error}") from error
        pixel = self.pixel_size_A or stack.header.pixel_size_A
        if pixel is None:
            raise InputError(f"{path}: its header tells no pixel size; give --pixel-size")
        rows = np.arange(stack.sections)
        return Candidates(len(rows), stacks=[ParticleStack(LocalFile(path), rows, rows, pixel)])


def _has_images(file: str) -> bool:
    path = Path(file)
    if path.suffix.lower() != ".star" or not path.is_file():
        return False
    blocks = read_star_blocks(path, (IMAGE,))
    return any(IMAGE in table.columns for table in blocks.values())
