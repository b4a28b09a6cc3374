"""What is left of particles as non-particles: images are told by stack and number on every host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from frostpick.errors import InputError
from frostpick_jobs.inputs.prune_inputs import PruneInputs

HEAD = "data_particles\n\nloop_\n_rlnImageName #1\n_rlnImagePixelSize #2\n"
#: As the folder host and the RELION host make it.
HOSTS: list[dict[str, Any]] = [{}, {"project": Path(), "stacks": False}]


def particles(name: str, *images: str) -> Path:
    path = Path(name)
    path.write_text(HEAD + "".join(f"{image} 2.0\n" for image in images))
    return path


@pytest.mark.parametrize("host", HOSTS, ids=["folder", "relion"])
def test_the_rest_of_particles(tmp_path: Path, monkeypatch: Any, host: dict[str, Any]) -> None:
    """RELION writes the number with six figures, other programs as it is."""
    monkeypatch.chdir(tmp_path)
    Path("Extract").mkdir()
    for name in ("s", "t"):
        Path("Extract", f"{name}.mrcs").write_bytes(b"x")
    all_of = [f"{n:06d}@Extract/{name}.mrcs" for name in "st" for n in (1, 2, 3)]
    given = particles("all.star", *all_of)
    good = particles("good.star", "1@Extract/s.mrcs", "03@Extract/t.mrcs")
    more = particles("more.star", "000002@Extract/s.mrcs")
    inputs = PruneInputs([], particles=given, labels=(str(good), str(more)), rest=True, **host)
    judged = inputs.labelled_rows()
    assert judged.good is not None and judged.good.rows == 3
    assert judged.bad is not None and judged.bad.rows == 6
    rows = [row for stack in judged.bad.stacks for row in stack.row.tolist()]
    assert rows == [2, 3, 4]  # number 3 of s, 1 and 2 of t
    other = particles("other.star", "1@Extract/u.mrcs")
    inputs = PruneInputs([], particles=given, labels=(str(other),), rest=True, **host)
    with pytest.raises(InputError, match="no image of it is among the input"):
        inputs.labelled_rows()
