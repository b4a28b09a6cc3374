"""Train in an External job, and take its model elsewhere."""

import os
import shutil
import signal

import numpy as np
import pytest

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

from cryosparc_project import DIAMETER_A, PIXEL_A, project, requested
from csemu.seed import complete, new_rows, write_output
from csemu.store import Options, Refused

from frostpick.errors import ConfigError, InputError, ModelError
from frostpick.models.picking_model import PickingModel
from frostpick.settings import PickSettings, TrainSettings
from frostpick_jobs import api
from frostpick_jobs.hosts.cryosparc import run
from frostpick_jobs.hosts.cryosparc.run import Tempo
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.tasks import train as train_task
from frostpick_jobs.tasks.pick import finish

pytestmark = pytest.mark.cryosparc

TEMPO = Tempo(poll=0.1, events=0.02)
EXPOSURES, PARTICLES = OutputRef("J2", "exposures"), OutputRef("J3", "particles")
QUICK = {"network": "conv31", "steps": 50, "expected_per_micrograph": 8.0}
ONE_THREAD = {"threads": 1, "device": "cpu"}


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch):
    monkeypatch.setattr(finish, "pick_figures", lambda *a: [])


@pytest.fixture
def reached(monkeypatch):
    """Catch what the engine would have been given."""
    caught = {}

    class Reached(Exception):
        pass

    def stub(micrographs, labels, settings, **others):
        caught.update(labels=labels, micrographs=micrographs, settings=settings, **others)
        raise Reached

    monkeypatch.setattr(train_task, "train_picker", stub)
    return caught


def train(p, particles=(PARTICLES,), micrographs=(EXPOSURES,), settings=None, **request):
    where = {} if "job" in request else {"workspace": "W1"}
    asked = requested(
        "train", p.uid, micrographs=micrographs, labels=particles, **{**where, **request}
    )
    options = {"diameter": DIAMETER_A, **ONE_THREAD, **(settings or {})}
    code = run.run_task_for_exit_code(
        p.connect(), asked, TrainSettings(**options), spool=p.root / "spool", tempo=TEMPO
    )
    return code, request.get("job") or p.latest()


def pick(p, model, project=None, **request):
    where = p if project is None else project
    asked = requested("pick", where.uid, "W1", micrographs=(EXPOSURES,), **request)
    settings = PickSettings(model=model, threshold="p=0.5", **ONE_THREAD)
    code = run.run_task_for_exit_code(
        p.connect(), asked, settings, spool=p.root / "spool", tempo=TEMPO
    )
    return code, p.latest()


def particles(p, rows, slots=("location",), shift=None, align_pixel=None, paths=None, uids=None):
    """Write a particle output as a native job would; rows are (micrograph, x, y)."""
    exposures = p.store.load_output(p.uid, "J2", "exposures", "all")
    job = p.store.create_job(p.uid, "W1", "manual_picker", "particles")
    made = new_rows(range(1, 1 + len(rows)), "particle", [(s, s) for s in slots])
    at = np.array([row[0] for row in rows])
    shapes = np.array(exposures["micrograph_blob/shape"])[at]
    made["location/micrograph_uid"] = (
        np.array(exposures["uid"])[at] if uids is None else np.array(uids, np.uint64)
    )
    made["location/micrograph_path"] = (
        np.array(exposures["micrograph_blob/path"])[at]
        if paths is None
        else np.array(paths, dtype=object)
    )
    made["location/micrograph_shape"] = shapes
    xy = np.array([row[1:] for row in rows], np.float64)
    made["location/center_x_frac"] = (xy[:, 0] / shapes[:, 1]).astype(np.float32)
    made["location/center_y_frac"] = (xy[:, 1] / shapes[:, 0]).astype(np.float32)
    if shift is not None:
        made["alignments2D/shift"] = np.array(shift, np.float32)
        made["alignments2D/psize_A"] = np.full(len(rows), align_pixel, np.float32)
    write_output(p.store, job, "particles", "particle", made, [(s, s) for s in slots])
    complete(p.store, job)
    return OutputRef(job.uid, "particles")


def flat(p):
    return [(n, x, y) for n, (_, truth) in enumerate(p.truth) for x, y in truth]


def check_labels(p, labels, tolerance=0.01):
    uids = [int(u) for u in p.store.load_output(p.uid, "J2", "exposures", "all")["uid"]]
    for number, uid in enumerate(uids):
        found = labels[str(uid)]
        xy = np.stack([found.x_px, found.y_px], 1)
        true = np.array(p.truth[number][1], float)
        assert len(xy) == len(true)
        distance = np.linalg.norm(xy[:, None] - true[None], axis=-1).min(axis=0)
        assert distance.max() <= tolerance


@pytest.mark.parametrize("switches", [{}, {"alloc": "min", "remote_paths": True}])
def test_train_then_pick_with_the_job_as_the_model(tmp_path, switches):
    with project(tmp_path, Options(**switches)) as p:
        code, job = train(p, settings=QUICK)
        assert code == 0 and p.job(job).status == "completed"
        folder = p.store.jdir(p.job(job)) / "model"
        assert sorted(f.name for f in folder.iterdir()) == ["model.json", "model.safetensors"]
        outputs = p.job(job).spec.outputs.root
        assert outputs["model"].num_items == 1 and outputs["micrographs"].num_items == 3
        text = "\n".join(p.texts(job))
        assert "21 of 21 particles are on the micrographs" in text
        assert "left out: 0 off the image, 0 double" in text
        assert f"--model {job}" in text
        code, picked = pick(p, job)
        assert code == 0
        assert p.job(picked).parents == ["J2", job]
        rows = p.store.load_output(p.uid, picked, "particles", "all")
        assert len(rows) >= 18


def test_kinds_of_another_job_are_fetched_as_labels(tmp_path, reached):
    with project(tmp_path) as p:
        uids = [int(u) for u in p.store.load_output(p.uid, "J2", "exposures", "all")["uid"]]
        table = p.store.jdir(p.job("J3")) / "repeated_objects.csv"
        table.parent.mkdir(parents=True, exist_ok=True)
        head = "kind_number,micrograph,x_px,y_px,away,named"
        table.write_text(f"{head}\n4,{uids[1]},3.000,91.000,0.5,\n")
        settings = {**QUICK, "diameter": 2 * PIXEL_A}  # so small that no label is near
        train(p, settings={**settings, "include": "J3:4"})
        found = reached["labels"][str(uids[1])]
        assert (found.x_px[-1], found.y_px[-1]) == (3.0, 91.0)
        assert len(found) == len(p.truth[1][1]) + 1
        code, job = train(p, settings={**settings, "include": "J2:4"})
        assert code != 0
        assert "J2 has no file repeated_objects.csv" in "\n".join(p.texts(job))


def test_a_model_goes_to_another_project_and_to_a_folder_unchanged(tmp_path):
    with project(tmp_path) as p:
        _, job = train(p, settings=QUICK)
        here = p.store.jdir(p.job(job)) / "model"
        digest = PickingModel.load(here).digest
        shutil.copytree(here, tmp_path / "carried")
        folder = api.pick(
            tmp_path / "out",
            micrographs=[path for path, _ in p.truth],
            model=tmp_path / "carried",
            threshold="p=0.5",
            **ONE_THREAD,
        )
        assert folder.picks > 0
        code, picked = pick(p, f"{p.uid}-{job}")
        assert code == 0
        record = (p.store.jdir(p.job(picked)) / "frostpick.json").read_text()
        assert digest in record
        code, other = pick(p, str(tmp_path / "carried"))
        first, second = (
            p.store.load_output(p.uid, j, "particles_all", "all") for j in (picked, other)
        )
        assert np.array_equal(first["location/center_x_frac"], second["location/center_x_frac"])
        assert np.array_equal(first["pick_stats/power"], second["pick_stats/power"])


def test_without_a_model_output_the_file_is_found_by_the_jobs_number(tmp_path, monkeypatch):
    with project(tmp_path) as p:
        real = p.store.add_output

        def refuse(project_uid, job, name, spec):
            if spec.type == "ml_model":
                raise Refused(422, "unknown slot type ml_model.ml_model")
            return real(project_uid, job, name, spec)

        monkeypatch.setattr(p.store, "add_output", refuse)
        code, job = train(p, settings=QUICK)
        assert code == 0 and "model" not in p.job(job).spec.outputs.root
        code, picked = pick(p, job)
        assert code == 0
        # The line in the graph comes from the micrographs it was trained on.
        assert p.job(picked).parents == ["J2", job]


def test_a_stopped_training_resumes_to_the_same_model(tmp_path, monkeypatch):
    with project(tmp_path) as p:
        from frostpick_jobs.hosts.cryosparc.reporter import CryoSPARCReporter

        real, left = CryoSPARCReporter.advance, [20]

        def advance(self, n=1, **metrics):
            real(self, n, **metrics)
            left[0] -= n
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGINT)

        monkeypatch.setattr(CryoSPARCReporter, "advance", advance)
        code, job = train(p, settings=QUICK)
        assert code == 130 and p.job(job).status == "failed"
        code, _ = train(p, settings=QUICK, job=job)
        assert code == 0 and p.job(job).status == "completed"
        _, whole = train(p, settings=QUICK)
        digests = [PickingModel.load(p.store.jdir(p.job(j)) / "model").digest for j in (job, whole)]
        assert digests[0] == digests[1]


def test_2d_class_particles_are_recentred_and_doubles_dropped(tmp_path, reached):
    """Particles picked off centre by the shift of their alignment, at a binned pixel size."""
    with project(tmp_path) as p:
        binned, rows, shifts = 3 * PIXEL_A, [], []
        for n, (number, x, y) in enumerate(flat(p)):
            shift = np.array([(n % 5) - 2, (n % 3) - 1], float)
            off = shift * binned / PIXEL_A
            rows.append((number, x + off[0], y + off[1]))
            shifts.append(shift)
        # The same particles again, a fraction of a pixel away.
        source = particles(
            p,
            rows + [(n, x + 0.8, y) for n, x, y in rows],
            ("location", "alignments2D"),
            shifts + shifts,
            binned,
        )
        assert train(p, (source,))[0] == 1
        check_labels(p, reached["labels"])
        text = "\n".join(p.texts(p.latest()))
        assert "21 double" in text and "42 particles are re-centred" in text


def test_one_session_with_alignments_and_one_without(tmp_path, reached):
    with project(tmp_path) as p:
        half = flat(p)
        aligned = particles(
            p,
            [(n, x + 6, y) for n, x, y in half[::2]],
            ("location", "alignments2D"),
            [(3, 0)] * len(half[::2]),
            2 * PIXEL_A,
        )
        plain = particles(p, half[1::2])
        train(p, (aligned, plain))
        check_labels(p, reached["labels"])


def test_labels_match_by_path_where_the_uid_is_unknown(tmp_path, reached):
    with project(tmp_path) as p:
        rows = flat(p)
        names = [f"J77/imported/{'7' * 21}_mic_{n:03d}.mrc" for n, _, _ in rows]
        source = particles(p, rows, paths=names, uids=[999] * len(rows))
        train(p, (source,))
        check_labels(p, reached["labels"])
        assert "21 of them match by path" in "\n".join(p.texts(p.latest()))


def test_no_particle_on_any_micrograph_creates_nothing(tmp_path):
    with project(tmp_path) as p:
        rows = flat(p)
        source = particles(p, rows, paths=["J9/other/a.mrc"] * len(rows), uids=[999] * len(rows))
        before = len(p.store.jobs)
        with pytest.raises(InputError, match=r"none of the 21 particles of J4.particles lies on"):
            train(p, (source,))
        assert len(p.store.jobs) == before


def test_mirrored_picks_are_noticed_and_flip_y_mends_them(tmp_path, reached):
    with project(tmp_path) as p:
        shapes = np.array(
            p.store.load_output(p.uid, "J2", "exposures", "all")["micrograph_blob/shape"]
        )
        source = particles(p, [(n, x, shapes[n][0] - 1 - y) for n, x, y in flat(p)])
        train(p, (source,))
        warnings = [t for t in p.texts(p.latest()) if "upside down" in t]
        assert len(warnings) == 1 and "repeat with --flip-y" in warnings[0]
        train(p, (source,), flip_y=True)
        check_labels(p, reached["labels"])
        assert not [t for t in p.texts(p.latest()) if "upside down" in t]
        train(p)
        assert not [t for t in p.texts(p.latest()) if "upside down" in t]


def test_what_a_training_needs_is_checked_before_anything_is_made(tmp_path):
    with project(tmp_path) as p:
        before = len(p.store.jobs)
        with pytest.raises(ConfigError, match="--diameter"):
            train(p, settings={"diameter": None})
        with pytest.raises(InputError, match="no particles to learn from"):
            train(p, (), settings={"start_model": "none"})
        told = r"P1-J3 has no model/model.safetensors; --start-model takes a job of 'frostpick cry"
        with pytest.raises(ModelError, match=told):
            train(p, settings={"start_model": "J3"})
        assert len(p.store.jobs) == before


def test_without_particles_the_start_model_learns_alone(tmp_path, reached):
    with project(tmp_path) as p:
        train(p, ())
        assert reached["labels"] == {} and reached["start"].card.network.name == "dilated"


def test_training_goes_on_from_another_jobs_model(tmp_path, reached):
    with project(tmp_path) as p:
        from frostpick.models.shipped import load_model

        folder = p.store.jdir(p.job("J3")) / "model"
        blob = load_model("blob")
        blob.save(folder)
        train(p, settings={"start_model": "J3"})
        assert reached["start"].digest == blob.digest
