"""Inputs of a job that decides on rows: picks with micrographs, or extracted particles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from os.path import isfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import ConfigError, InputError, option
from frostpick.images import PixelSizes
from frostpick.images.content import ImageFileError
from frostpick.images.stack import Stack
from frostpick.types import LocalFile, Micrograph, ParticleStack
from frostpick_jobs.formats import PickTable, read_pick_files, read_star_blocks
from frostpick_jobs.formats.star.particles import ParticleRows, read_particles
from frostpick_jobs.formats.star.tables import IMAGE
from frostpick_jobs.formats.walk import at_home
from frostpick_jobs.inputs.headers import with_header
from frostpick_jobs.inputs.rows import PickRows, pick_rows
from frostpick_jobs.job.host import InputRows, LabelledInput

#: Inputs of the task beside the micrographs.
NAMES = ("picks", "particles", "labels", "bad")


@dataclass(frozen=True)
class PruneInputs:
    """The rows of a job and its examples, from files.

    Parameters
    ----------
    picks
        Files, folders and patterns of picks on ``micrographs``.
    particles
        A particles STAR file, or a stack of images; not with ``picks``.
    labels, bad
        Files of known particles and of known non-particles: picks, or particles STAR files.
        Of ``bad`` every row counts, and so does every one of ``labels`` with the sign -1, which
        is bad too; of the others those that are selected.
    rest
        All input that is not among the good labels is bad; then ``bad`` is empty.
    pixel_size_A
        Pixel size in Angstrom, where neither files nor headers tell it.
    project
        Folder that paths inside the files are relative to; None looks for it above each file.
    stacks
        Whether ``particles`` may be a stack of images.
    allow_missing
        Go on without folders of picks that cannot be read.
    picks_pixel_size_A
        Pixel size that all picks were made at, where it is not the micrographs'.
    """

    micrographs: Sequence[Micrograph]
    picks: tuple[str, ...] = ()
    particles: Path | None = None
    labels: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    rest: bool = False
    pixel_size_A: float | None = None
    project: Path | None = None
    stacks: bool = True
    allow_missing: bool = False
    picks_pixel_size_A: float | None = None

    @classmethod
    def of(
        cls,
        given: Mapping[str, Sequence[str]],
        micrographs: Sequence[Micrograph],
        *,
        rest: bool,
        **host: Any,
    ) -> PruneInputs:
        """Return the rows and examples of what was given, by the name of the task's input.

        Parameters
        ----------
        rest
            ``bad`` was given as the word for all that is not good.
        host
            How the host reads them: the last five parameters, and ``pixel_size_A``.
        """
        files = {name: tuple(given.get(name, ())) for name in NAMES}
        return cls(
            micrographs,
            files["picks"],
            next(map(Path, files["particles"]), None),
            files["labels"],
            () if rest else files["bad"],
            rest,
            **host,
        )

    def __post_init__(self) -> None:
        for name in ("labels", "bad"):
            object.__setattr__(self, name, tuple(map(at_home, getattr(self, name))))
        if self.particles is not None:
            object.__setattr__(self, "particles", Path(at_home(str(self.particles))))

    @property
    def is_stack(self) -> bool:
        """True when ``particles`` is a stack of images rather than a STAR file."""
        images = self.particles is not None and self.particles.suffix.lower() in (".mrcs", ".mrc")
        return self.stacks and images

    @property
    def row_file(self) -> Path | None:
        """The STAR file whose rows are decided on, where they are rows of one."""
        return None if self.is_stack else self.particles

    @cached_property
    def pick_rows(self) -> PickRows:
        """The picks as one table."""
        return self._rows_of(self._picks_in(self.picks))

    @cached_property
    def particle_rows(self) -> ParticleRows:
        """The rows of the particles STAR file."""
        assert self.particles is not None
        return read_particles(self.particles, self.pixel_size_A)

    def input_rows(self) -> InputRows:
        """Return the rows to decide on."""
        if self.picks:
            return self.pick_rows.input_rows(self.micrographs)
        if self.picks_pixel_size_A is not None:
            raise ConfigError(
                f"{option('picks_pixel_size')} is for {option('picks')}: particles are images, "
                "whose positions are not read from micrographs; leave it out"
            )
        assert self.particles is not None
        if self.is_stack:
            return self._stack(self.particles)
        rows = self.particle_rows
        return InputRows(rows=len(rows), stacks=rows.stacks(self.project), merit=rows.merit)

    def labelled_rows(self) -> LabelledInput:
        """Return the examples."""
        good, none = self._examples(self.labels, 1), self._examples(self.labels, -1)
        if self.rest:
            if none is not None:
                raise ConfigError(
                    f"{self.labels[0]}: {none.rows} rows of sign -1, and {option('bad', 'rest')} "
                    "means all input without a label; give one of the two"
                )
            return LabelledInput(good, self._rest(), rest=True)
        return LabelledInput(good, _joined(none, self._examples(self.bad)))

    def with_header(self, micrograph: Micrograph) -> Micrograph:
        """Return a micrograph with shape and pixel size, where its header knows them."""
        return with_header(micrograph, self._sizes)

    @cached_property
    def _sizes(self) -> PixelSizes:
        return PixelSizes(self.pixel_size_A)

    @cached_property
    def _particles_in(self) -> Callable[[str], ParticleRows]:
        """Reads a particles file, each once: the good ones also tell what is the rest."""
        return cache(lambda file: read_particles(Path(file), self.pixel_size_A))

    @cached_property
    def _picks_in(self) -> Callable[[tuple[str, ...]], Sequence[PickTable]]:
        """Reads files of picks, the same files once."""
        return cache(
            lambda files: read_pick_files(files, self.project, allow_missing=self.allow_missing)
        )

    def _examples(self, files: tuple[str, ...], sign: int | None = None) -> InputRows | None:
        """Return the rows of files, or those of one sign; None without files or rows of -1."""
        if not files:
            return None
        if self.particles is not None and all(map(_has_images, files)):
            parts = [self._particles_in(file) for file in files]
            rows = [_all_bad(one) if sign is None else one.of_sign(sign) for one in parts]
            stacks = [
                stack
                for one, chosen in zip(parts, rows, strict=True)
                for stack in one.stacks(self.project, chosen)
            ]
            found = InputRows(rows=sum(map(len, rows)), stacks=stacks)
            return found if found.rows or sign != -1 else None
        if not self.micrographs:
            raise ConfigError(
                f"{files[0]}: coordinates; expected particles with images (rlnImageName), or give "
                f"the {option('micrographs')} that they lie on"
            )
        labelled = self._labelled(files, sign)
        return labelled.input_rows(self.micrographs) if len(labelled) or sign != -1 else None

    def _rest(self) -> InputRows:
        if self.picks:
            rows = self.pick_rows.rows_not_in(self._labelled(self.labels, 1))
            return self.pick_rows.input_rows(self.micrographs, rows)
        if self.is_stack:
            raise ConfigError(
                f"{option('bad', 'rest')} needs a particles STAR file with {option('particles')}"
            )
        table = self.particle_rows
        rest = np.arange(len(table))
        for file in self.labels:
            rest = np.intersect1d(rest, table.rows_not_in(self._particles_in(file)))
        if len(rest) == len(table):
            raise InputError(
                f"{self.labels[0]}: no image of it is among the input; expected a selection of "
                f"{self.particles}"
            )
        return InputRows(len(table), stacks=table.stacks(self.project, rest))

    def _labelled(self, files: tuple[str, ...], sign: int | None) -> PickRows:
        """Return the rows of one sign, or all of files of what is bad: selected or not."""
        tables = self._picks_in(files)
        if sign is None:
            for table in tables:
                _all_bad(table)
        else:
            tables = [table.of_sign(sign) for table in tables]
        return self._rows_of(tables, every=sign != 1)

    def _rows_of(self, tables: Sequence[PickTable], every: bool = False) -> PickRows:
        return pick_rows(
            tables,
            self.micrographs,
            self.with_header,
            every=every,
            picks_pixel_size_A=self.picks_pixel_size_A,
        )

    def _stack(self, path: Path) -> InputRows:
        try:
            stack = Stack.open(path)
        except (ImageFileError, OSError) as error:
            raise InputError(f"{path}: {error}") from error
        pixel = self.pixel_size_A or stack.header.pixel_size_A
        if pixel is None:
            raise InputError(f"{path}: its header tells no pixel size; give {option('pixel_size')}")
        rows = np.arange(stack.sections)
        return InputRows(len(rows), stacks=[ParticleStack(LocalFile(path), rows, rows, pixel)])


def _has_images(file: str) -> bool:
    path = Path(file)
    if path.suffix.lower() != ".star" or not isfile(path):
        return False
    blocks = read_star_blocks(path, (IMAGE,))
    return any(IMAGE in table.columns for table in blocks.values())


def _all_bad(table: PickTable | ParticleRows) -> NDArray[np.int64]:
    """Return all rows of what was given as bad; `ConfigError` where a sign says otherwise."""
    if table.sign is not None and (table.sign > 0).any():
        raise ConfigError(
            f"{table.path}: {np.count_nonzero(table.sign > 0)} rows of sign 1, which are "
            f"particles, were given as {option('bad')}; a file with both signs goes with "
            f"{option('good')}"
        )
    return np.arange(len(table))


def _joined(one: InputRows | None, other: InputRows | None) -> InputRows | None:
    """Return examples of two kinds of files as those of one table, the second's rows after."""
    if one is None or other is None:
        return one or other
    picks = [(m, replace(found, row=found.row + one.rows)) for m, found in other.picks]
    stacks = [replace(stack, row=stack.row + one.rows) for stack in other.stacks]
    return InputRows(one.rows + other.rows, [*one.picks, *picks], [*one.stacks, *stacks])
