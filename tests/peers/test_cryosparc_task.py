"""A task that is declared here alone runs as an External job: settings, run, declaration."""

import numpy as np
import pytest

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

from cryosparc_project import project
from scipy.ndimage import minimum_filter, uniform_filter

from frostpick.errors import ConfigError, InputError
from frostpick.images import read_image
from frostpick.picking.threshold import Cut
from frostpick.settings import RunSettings
from frostpick.settings.field import setting
from frostpick.types import Picks
from frostpick_jobs.hosts.cryosparc.ports import reference
from frostpick_jobs.hosts.cryosparc.request import JobRequest
from frostpick_jobs.hosts.cryosparc.run import Tempo, run_task, run_task_for_exit_code
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.job.outputs import MicrographOutput, PicksOutput, Report
from frostpick_jobs.job.results import PickingResult
from frostpick_jobs.tasks.begin import begin
from frostpick_jobs.tasks.declarations import PRETRAIN, OutputKind, OutputSpec, TaskSpec
from frostpick_jobs.tasks.declarations.kinds import MICROGRAPHS, REPORT

pytestmark = pytest.mark.cryosparc

TEMPO = Tempo(poll=0.1, events=0.02)
EXPOSURES = OutputRef("J2", "exposures")
SIDE_PX = 15


class DarkestSettings(RunSettings):
    """Options of ``darkest``."""

    count: int = setting(3, "Places on a micrograph.", "Picking", ge=1)


def run_darkest(host, settings, executor=None):
    """Pick the darkest places of each micrograph, which are darkest in their surroundings."""
    record = begin(host, DARKEST, settings)
    scores, micrographs = [], host.micrographs()
    host.reporter.stage("looking", len(micrographs))
    for one in micrographs:
        with one.source.fetch() as path:
            image = read_image(path, one.id).data
        mean = uniform_filter(image.astype(np.float64), SIDE_PX)
        y, x = np.nonzero(mean == minimum_filter(mean, 2 * SIDE_PX))
        darkest = np.argsort(mean[y, x])[: settings.count]
        if len(darkest) < settings.count:
            raise InputError(f"{one.id}: only {len(darkest)} dark places")
        score = -mean[y, x][darkest]
        picks = Cut(0.0).select(Picks.from_xy(one.id, x[darkest], y[darkest], score=score))
        scores.append(score)
        host.deliver_one(MicrographOutput(one, picks, image.shape, one.pixel_size_A))
        host.reporter.advance(1)
    every = np.concatenate(scores)
    host.deliver([PicksOutput(0.0, every, 2.0 * SIDE_PX), Report(record.finished())])
    return PickingResult(host.place, {}, len(micrographs), len(every), len(every), 0.0)


DARKEST = TaskSpec(
    name="darkest",
    settings=DarkestSettings,
    inputs=(MICROGRAPHS,),
    outputs=(OutputSpec("picks", OutputKind.PICKS), REPORT),
    run=f"{__name__}:run_darkest",
    summary="Pick the darkest places.",
    citation="nobody",
)


def darkest(p, run, settings, micrographs=(EXPOSURES,), **others):
    asked = JobRequest(DARKEST, p.uid, "W1", inputs={"micrographs": micrographs})
    return run(p.connect(), asked, settings, spool=p.root / "spool", tempo=TEMPO, **others)


def test_micrographs_in_and_picks_out(tmp_path):
    with project(tmp_path) as p:
        result = darkest(p, run_task, DarkestSettings(count=5))
        assert isinstance(result, PickingResult)
        assert (result.micrographs, result.picks, result.failed) == (3, 15, {})
        assert (result.job, result.folder) == ("P1-J4", None)
        made = p.job("J4")
        assert made.status == "completed" and made.title == "frostpick darkest"
        assert "| count | 5 |" in made.description
        assert made.description.endswith("frostpick; nobody")
        assert set(made.spec.inputs.root) == {"micrographs"}
        outputs = made.spec.outputs.root
        assert {name: one.num_items for name, one in outputs.items()} == {
            "particles": 15,
            "particles_all": 15,
            "micrographs": 3,
        }
        rows = p.store.load_output(p.uid, "J4", "particles", "all")
        uids = p.store.load_output(p.uid, "J2", "exposures", "all")["uid"].tolist()
        for row in rows.rows():
            _, truth = p.truth[uids.index(row["location/micrograph_uid"])]
            ny, nx = row["location/micrograph_shape"]
            x, y = row["location/center_x_frac"] * nx, row["location/center_y_frac"] * ny
            assert np.hypot(*(np.array(truth) - (x, y)).T).min() < 4  # a disc is 8 px wide
        said = "\n".join(p.texts("J4"))
        assert "looking: 3 of 3" in said
        assert "to resume: frostpick cryosparc darkest --project P1 --job J4" in said
        assert reference(DARKEST, "J4", "picks") == "J4.particles"


def test_its_errors_are_exceptions_or_an_exit_code(tmp_path):
    with project(tmp_path, shapes=((200, 320),)) as p:
        for run in (run_task, run_task_for_exit_code):
            if run is run_task:
                with pytest.raises(InputError, match=r"only \d+ dark places"):
                    darkest(p, run, DarkestSettings(count=1000))
            else:
                assert darkest(p, run, DarkestSettings(count=1000)) == 1
            job = p.latest()
            assert p.job(job).status == "failed" and "dark places" in p.texts(job)[-1]
        with pytest.raises(InputError, match="give them with --micrographs"):
            darkest(p, run_task, DarkestSettings(), micrographs=())
        with pytest.raises(ConfigError, match=r"pretrain does not run in CryoSPARC, only: folder"):
            run_task(p.connect(), JobRequest(PRETRAIN, p.uid, "W1"), PRETRAIN.settings())
        assert len(p.store.jobs) == 5
