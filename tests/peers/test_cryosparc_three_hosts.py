"""One model picks in CryoSPARC, RELION and a folder: the same pixels, the same scores."""

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

from cryosparc_project import DIAMETER_A, project, requested

from frostpick.settings import PickSettings, TrainSettings
from frostpick_jobs import api
from frostpick_jobs.formats import read_picks
from frostpick_jobs.hosts.cryosparc import run
from frostpick_jobs.hosts.cryosparc.run import Tempo
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.hosts.relion.arguments import JobArguments
from frostpick_jobs.hosts.relion.host import RelionHost
from frostpick_jobs.job.lifecycle import run_job
from frostpick_jobs.tasks import run_pick
from frostpick_jobs.tasks.declarations import PICK
from frostpick_jobs.tasks.pick import finish

pytestmark = pytest.mark.cryosparc

TEMPO = Tempo(poll=0.5, events=0.05)
RULE = {"threshold": "p=0.3", "threads": 1, "device": "cpu"}
EXPOSURES, PARTICLES = OutputRef("J2", "exposures"), OutputRef("J3", "particles")
STAR = """
data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographPixelSize #3
opticsGroup1 1 2.000000

data_micrographs

loop_
_rlnMicrographName #1
_rlnOpticsGroup #2
"""

Found = dict[str, np.ndarray]


def in_cryosparc(p, model) -> Found:
    asked = requested("pick", p.uid, "W1", micrographs=(EXPOSURES,))
    settings = PickSettings(model=model, **RULE)
    assert (
        run.run_task_for_exit_code(
            p.connect(), asked, settings, spool=p.root / "spool", tempo=TEMPO
        )
        == 0
    )
    rows = p.store.load_output(p.uid, p.latest(), "particles", "all")
    shape = np.array(rows["location/micrograph_shape"], np.float64)
    table = np.column_stack(
        [
            np.rint(np.array(rows["location/center_x_frac"], np.float64) * shape[:, 1]),
            np.rint(np.array(rows["location/center_y_frac"], np.float64) * shape[:, 0]),
            np.array(rows["pick_stats/power"], np.float64),
        ]
    )
    names = [Path(str(name)).stem.split("_", 1)[1] for name in rows["location/micrograph_path"]]
    return by_name(names, table)


def in_relion(p, model, monkeypatch) -> Found:
    folder = p.root / "relion"
    (folder / "Micrographs").mkdir(parents=True)
    (folder / "External/job002").mkdir(parents=True)
    rows = []
    for path, _ in p.truth:
        shutil.copy(path, folder / "Micrographs")
        rows.append(f"Micrographs/{Path(path).name} 1")
    (folder / "micrographs.star").write_text(STAR + "\n".join(rows) + "\n\n")
    monkeypatch.chdir(folder)
    job = "External/job002/"
    host = RelionHost(JobArguments(Path(job), job, "micrographs.star"), PICK)
    settings = PickSettings(model=str(model), **RULE)
    assert run_job(host, lambda: run_pick(host, settings)) == 0
    found = {}
    for path in (folder / job).rglob("*_autopick.star"):
        table = read_picks(path)
        columns = np.column_stack([table.x_px, table.y_px, table.score])
        found[path.name.removesuffix("_autopick.star")] = columns
    return found


def in_folder(p, model) -> Found:
    files = [path for path, _ in p.truth]
    api.pick(p.root / "out", micrographs=files, model=model, pixel_size=2.0, **RULE)
    table = read_picks(p.root / "out" / "picks.csv")
    chosen = np.flatnonzero(table.selected)
    columns = np.column_stack([np.floor(table.x_px + 0.5), np.floor(table.y_px + 0.5), table.score])
    return by_name([Path(table.micrograph[n]).stem for n in chosen], columns[chosen])


def by_name(names, columns) -> Found:
    of = np.array(names)
    return {name: columns[of == name] for name in sorted(set(names))}


def test_the_same_pixels_and_scores(tmp_path, monkeypatch):
    monkeypatch.setattr(finish, "pick_figures", lambda *a: [])
    with project(tmp_path) as p:
        asked = requested("train", p.uid, "W1", micrographs=(EXPOSURES,), labels=(PARTICLES,))
        settings = TrainSettings(
            diameter=DIAMETER_A,
            network="conv31",
            steps=50,
            expected_per_micrograph=8.0,
            threads=1,
            device="cpu",
        )
        assert (
            run.run_task_for_exit_code(
                p.connect(), asked, settings, spool=tmp_path / "spool", tempo=TEMPO
            )
            == 0
        )
        trained = p.latest()
        file = p.store.jdir(p.job(trained)) / "model"
        cryosparc = in_cryosparc(p, trained)
        folder = in_folder(p, file)
        relion = in_relion(p, file, monkeypatch)
        assert sorted(cryosparc) == sorted(relion) == sorted(folder) and len(folder) == 3
        assert sum(map(len, folder.values())) >= 20
        for name, expected in folder.items():
            order = np.lexsort(expected[:, :2].T)
            for other in (cryosparc[name], relion[name]):
                other = other[np.lexsort(other[:, :2].T)]
                np.testing.assert_array_equal(other[:, :2], expected[order, :2])
                np.testing.assert_allclose(other[:, 2], expected[order, 2], rtol=0, atol=1e-4)
