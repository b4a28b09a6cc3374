"""Prune in an External job: two outputs, and every other slot of every row as it was."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from made_images import write_mrc

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

from cryosparc_project import project, requested
from csemu.seed import complete, new_rows, write_output
from tiny_pruner import DIAMETER_A, PIXEL_A

from frostpick.errors import InputError, JobStopped, ModelError
from frostpick.models.pruner.model import Pruner
from frostpick.settings import PruneSettings, VerifySettings
from frostpick_jobs.hosts.cryosparc import run
from frostpick_jobs.hosts.cryosparc.run import Tempo
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.hosts.folder import FolderHost
from frostpick_jobs.hosts.relion.arguments import JobArguments
from frostpick_jobs.hosts.relion.host import RelionHost
from frostpick_jobs.job.lifecycle import run_job
from frostpick_jobs.store.prune_store import PruneStore
from frostpick_jobs.tasks.declarations import VERIFY
from frostpick_jobs.tasks.prune.run import run_verify

pytestmark = pytest.mark.cryosparc

TEMPO = Tempo(poll=0.1, events=0.02)
EXPOSURES = OutputRef("J2", "exposures")
SLOTS = ("blob", "location", "ctf", "alignments2D")


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr("frostpick_jobs.tasks.prune.run.prune_figures", lambda *a: [])
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def rows_of(p):
    """Return (micrograph, x, y, good): the true discs, and as many places between them."""
    rng = np.random.default_rng(5)
    found = []
    for number, (_, truth) in enumerate(p.truth):
        found += [(number, x, y, True) for x, y in truth[:4]]
        shape = p.image(number).shape
        while sum(one[0] == number for one in found) < 7:
            x, y = rng.integers(24, shape[1] - 24), rng.integers(24, shape[0] - 24)
            if min((x - a) ** 2 + (y - b) ** 2 for a, b in truth) > 60**2:
                found.append((number, int(x), int(y), False))
    order = rng.permutation(len(found))
    return [found[at] for at in order]


def extracted(p, rows, name="particles", slots=SLOTS, first=1000):
    """Write particles as Extract leaves them: a stack a micrograph, and several slots."""
    exposures = p.store.load_output(p.uid, "J2", "exposures", "all")
    job = p.store.create_job(p.uid, "W1", "manual_picker", name)
    made = new_rows(range(first, first + len(rows)), "particle", [(s, s) for s in slots])
    at = np.array([row[0] for row in rows])
    shapes = np.array(exposures["micrograph_blob/shape"])[at]
    made["location/micrograph_uid"] = np.array(exposures["uid"])[at]
    made["location/micrograph_path"] = np.array(exposures["micrograph_blob/path"])[at]
    made["location/micrograph_shape"] = shapes
    xy = np.array([row[1:3] for row in rows], np.float64)
    made["location/center_x_frac"] = (xy[:, 0] / shapes[:, 1]).astype(np.float32)
    made["location/center_y_frac"] = (xy[:, 1] / shapes[:, 0]).astype(np.float32)
    if "location/micrograph_psize_A" in made.fields():
        made["location/micrograph_psize_A"] = np.full(len(rows), PIXEL_A, np.float32)
    if "blob" in slots:
        index = np.zeros(len(rows), np.uint32)
        paths = []
        for number in range(len(p.truth)):
            mine = np.flatnonzero(at == number)
            if not len(mine):
                continue
            index[mine] = np.arange(len(mine))
            padded = np.pad(p.image(number), 32, mode="reflect")
            stack = np.stack(
                [padded[y : y + 64, x : x + 64] for _, x, y, _ in np.array(rows)[mine]]
            )
            relative = f"{job.uid}/stack_{number}.mrc"
            target = p.store.pdir(p.uid) / relative
            write_mrc(target, stack.astype(np.float32))
        paths = [f"{job.uid}/stack_{number}.mrc" for number in at.tolist()]
        made["blob/path"] = np.array(paths, dtype=object)
        made["blob/idx"] = index
        made["blob/shape"] = np.full((len(rows), 2), 64, np.uint32)
        made["blob/psize_A"] = np.full(len(rows), PIXEL_A, np.float32)
        made["blob/sign"] = np.full(len(rows), -1.0, np.float32)
        made["ctf/df1_A"] = np.arange(len(rows)).astype(np.float32) + 10_000
        made["alignments2D/class"] = np.arange(len(rows)).astype(np.uint32) % 5
    write_output(p.store, job, name, "particle", made, [(s, s) for s in slots])
    complete(p.store, job)
    return OutputRef(job.uid, name)


def prune(p, pruner, particles, *, settings=None, **request):
    where = {} if "job" in request else {"workspace": "W1"}
    asked = requested("prune", p.uid, particles=particles, **{**where, **request})
    told = {"pruner": pruner, "diameter": DIAMETER_A, "threshold": "0", "min_distance": 8.0}
    options = {**told, "border": 0.0, "threads": 1, "device": "cpu", **(settings or {})}
    code = run.run_task_for_exit_code(
        p.connect(), asked, PruneSettings(**options), spool=p.root / "spool", tempo=TEMPO
    )
    return code, request.get("job") or p.latest()


def verify(p, pruner, particles, **request):
    where = {} if "job" in request else {"workspace": "W1"}
    asked = requested("verify", p.uid, particles=particles, **{**where, **request})
    told = {"pruner": pruner, "diameter": DIAMETER_A, "threads": 1, "device": "cpu"}
    code = run.run_task_for_exit_code(
        p.connect(), asked, VerifySettings(**told), spool=p.root / "spool", tempo=TEMPO
    )
    return code, request.get("job") or p.latest()


def check_rows(p, source, job, good, slots):
    """Both outputs together are the input, and each row has every slot byte for byte."""
    before = p.store.load_output(p.uid, source.job, source.output, "all")
    uids = np.array(before["uid"])
    row_of = {int(uid): n for n, uid in enumerate(uids)}
    seen = []
    for output, wanted in (("particles_kept", True), ("particles_rejected", False)):
        after = p.store.load_output(p.uid, job, output, "all")
        assert {s.split("/")[0] for s in after.fields() if "/" in s} == set(slots)
        at = np.array([row_of[int(uid)] for uid in after["uid"]])
        assert (np.array(good)[at] == wanted).all()
        for field in before.fields():
            assert np.array_equal(np.array(before[field])[at], np.array(after[field])), field
        seen += at.tolist()
    assert sorted(seen) == list(range(len(uids)))


def test_extracted_particles_keep_every_slot(tmp_path, pruner):
    with project(tmp_path) as p:
        rows = rows_of(p)
        source = extracted(p, rows)
        code, job = prune(p, pruner, (source,))
        assert code == 0
        made = p.job(job)
        assert made.status == "completed"
        check_rows(p, source, job, [row[3] for row in rows], SLOTS)
        passed = {r.name for r in made.spec.outputs.root["particles_kept"].results if r.passthrough}
        assert passed == {"location", "ctf", "alignments2D"}
        folder = p.store.pdir(p.uid) / job
        table = list(csv.DictReader((folder / "scores.csv").read_text().splitlines()))
        assert [int(row["uid"]) for row in table] == list(range(1000, 1000 + len(rows)))
        assert [row["keep"] == "1" for row in table] == [row[3] for row in rows]
        assert (folder / "pruner/model.safetensors").is_file()


def test_picks_are_cut_from_the_micrographs(tmp_path, pruner):
    with project(tmp_path) as p:
        rows = rows_of(p)
        source = extracted(p, rows, slots=("location", "pick_stats"))
        code, job = prune(p, pruner, (source,), micrographs=(EXPOSURES,))
        assert code == 0
        check_rows(p, source, job, [row[3] for row in rows], ("location", "pick_stats"))


def stats(p, source, **fields):
    """Write columns of ``pick_stats`` into an output."""
    made = p.store.load_output(p.uid, source.job, source.output, "all")
    for name, values in fields.items():
        made[f"pick_stats/{name}"] = np.asarray(values, np.float32)
    slots = [(slot, slot) for slot in sorted({f.split("/")[0] for f in made.fields() if "/" in f})]
    write_output(p.store, p.job(source.job), source.output, "particle", made, slots)


@pytest.mark.parametrize("slots", [("location", "pick_stats"), (*SLOTS, "pick_stats")])
def test_the_pickers_score_is_read_and_passes_through(tmp_path, pruner, monkeypatch, slots):
    heard = []
    monkeypatch.setattr(
        "frostpick.pruning.judge.figure_of_merit_feature",
        lambda score, merit, share: heard.append(merit),
    )
    with project(tmp_path) as p:
        rows = rows_of(p)
        on = (EXPOSURES,) if "blob" not in slots else ()
        source = extracted(p, rows, slots=slots)
        score, power = np.linspace(0.2, 0.9, len(rows)), np.linspace(90, 20, len(rows))
        stats(p, source, ncc_score=score, power=power)
        code, job = prune(p, pruner, (source,), micrographs=on)
        assert code == 0
        np.testing.assert_allclose(heard[-1], score, rtol=1e-6)
        check_rows(p, source, job, [row[3] for row in rows], slots)
        # Topaz's score is where the power of other pickers is; its ncc_score says nothing.
        stats(p, source, ncc_score=np.full(len(rows), 0.5), power=power)
        assert prune(p, pruner, (source,), micrographs=on)[0] == 0
        np.testing.assert_allclose(heard[-1], power, rtol=1e-6)
        count = len(heard)
        told = {"figure_of_merit": False}
        assert prune(p, pruner, (source,), micrographs=on, settings=told)[0] == 0
        assert len(heard) == count


def test_particles_without_a_score_of_a_picker_are_judged_by_their_images(
    tmp_path, pruner, monkeypatch
):
    heard = []
    monkeypatch.setattr(
        "frostpick.pruning.judge.figure_of_merit_feature",
        lambda score, merit, share: heard.append(merit),
    )
    with project(tmp_path) as p:
        rows = rows_of(p)
        assert prune(p, pruner, (extracted(p, rows),))[0] == 0
        assert heard == [None]
        # Some of the input have one.
        scored = extracted(p, rows[:4], "others", slots=(*SLOTS, "pick_stats"), first=5000)
        stats(p, scored, ncc_score=[0.1, 0.2, 0.3, 0.4])
        plain = extracted(p, rows[4:], "rest", first=6000)
        assert prune(p, pruner, (plain, scored))[0] == 0
        expected = [*[np.nan] * (len(rows) - 4), 0.1, 0.2, 0.3, 0.4]
        np.testing.assert_allclose(heard[1], expected, rtol=1e-6)


def check_verified(p, source, job, good, passed):
    """Every input row is there with all its slots byte for byte, and score and spread in one."""
    before = p.store.load_output(p.uid, source.job, source.output, "all")
    after = p.store.load_output(p.uid, job, "particles_verified", "all")
    results = p.job(job).spec.outputs.root["particles_verified"].results
    assert {r.name for r in results if r.passthrough} == passed
    assert [r.name for r in results if not r.passthrough] == ["pick_stats"]
    row_of = {int(uid): n for n, uid in enumerate(before["uid"])}
    at = np.array([row_of[int(uid)] for uid in after["uid"]])
    assert sorted(at.tolist()) == list(range(len(good)))
    for field in before.fields():
        if field.split("/")[0] != "pick_stats":
            assert np.array_equal(np.array(before[field])[at], np.array(after[field])), field
    probability = np.array(after["pick_stats/ncc_score"])
    assert ((probability > 0.5) == np.array(good)[at]).all()
    text = (p.store.pdir(p.uid) / job / "scores.csv").read_text()
    told = {int(row["uid"]): row for row in csv.DictReader(text.splitlines())}
    for uid, one, spread in zip(after["uid"], probability, after["pick_stats/power"], strict=True):
        row = told[int(uid)]
        assert one == pytest.approx(float(row["probability"]), rel=1e-3)
        assert one == pytest.approx(1 / (1 + np.exp(-float(row["score"]))), rel=1e-3)
        assert spread == pytest.approx(float(row["spread"]), rel=1e-3, abs=1e-5)
        assert spread >= 0


def test_verified_particles_are_all_there_with_score_and_spread(tmp_path, pruner):
    with project(tmp_path) as p:
        rows = rows_of(p)
        source = extracted(p, rows)
        code, job = verify(p, pruner, (source,))
        assert code == 0 and p.job(job).status == "completed"
        assert set(p.job(job).spec.outputs.root) == {"particles_verified"}
        check_verified(p, source, job, [row[3] for row in rows], set(SLOTS))
        assert not (p.store.pdir(p.uid) / job / "pruner").exists()


def test_a_stopped_verifying_goes_on_and_takes_the_place_of_old_scores(
    tmp_path, pruner, monkeypatch
):
    put = PruneStore.put

    def put_and_stop(self, group, found):
        put(self, group, found)
        raise JobStopped("enough")

    with project(tmp_path) as p:
        rows = rows_of(p)
        source = extracted(p, rows, slots=("location", "pick_stats"))
        with monkeypatch.context() as patch:
            patch.setattr(PruneStore, "put", put_and_stop)
            code, job = verify(p, pruner, (source,), micrographs=(EXPOSURES,))
        assert code == 130 and p.job(job).status == "failed"
        read = []
        monkeypatch.setattr(PruneStore, "put", lambda s, group, f: read.append(group.name))
        code, again = verify(p, pruner, (), job=job)
        assert code == 0 and again == job and len(read) == 2
        check_verified(p, source, job, [row[3] for row in rows], {"location"})


def test_three_hosts_give_the_same_scores(tmp_path, pruner, monkeypatch):
    asked = VerifySettings(pruner=pruner, diameter=DIAMETER_A, threads=1, device="cpu")
    with project(tmp_path) as p:
        rows = rows_of(p)
        source = extracted(p, rows, slots=("location", "pick_stats"))
        code, job = verify(p, pruner, (source,), micrographs=(EXPOSURES,))
        assert code == 0
        tables = [p.store.pdir(p.uid) / job / "scores.csv"]
        monkeypatch.chdir(tmp_path)
        names = [f"raw/{Path(path).name}" for path, _ in p.truth]
    lines = [f"{Path(names[m]).name},{x},{y}" for m, x, y, _ in rows]
    Path("picks.csv").write_text("\n".join(["micrograph,x_px,y_px", *lines]) + "\n")
    folder = FolderHost(Path("folder"), {"micrographs": ["raw"], "picks": ["picks.csv"]})
    optics = "data_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnMicrographPixelSize #2\n1 2.0\n\n"
    table = "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n"
    Path("m.star").write_text(optics + table + "".join(f"{name} 1\n" for name in names))
    table = "data_\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n"
    Path("p.star").write_text(table + "".join(f"{names[m]} {x} {y}\n" for m, x, y, _ in rows))
    files = {"in_mics": "m.star", "in_coords": "p.star"}
    arguments = JobArguments(
        Path("External/job001"), "External/job001/", given=tuple(files), **files
    )
    relion = RelionHost(arguments, VERIFY)
    for host, out in ((folder, "folder"), (relion, "External/job001")):
        Path(out).mkdir(parents=True, exist_ok=True)
        assert run_job(host, lambda host=host: run_verify(host, asked)) == 0
        tables.append(Path(out) / "scores.csv")
    found = []
    for path in tables:
        told = list(csv.DictReader(path.read_text().splitlines()))
        assert [int(row["row"]) for row in told] == list(range(len(rows)))
        found.append([[float(row["score"]), float(row["spread"])] for row in told])
    # CryoSPARC's fractions of single precision move a centre by up to 3e-4 pixels
    np.testing.assert_allclose(found[0], found[1], atol=2e-3, rtol=1e-3)
    np.testing.assert_array_equal(found[1], found[2])
    assert ((np.array(found[0])[:, 0] > 0) == [row[3] for row in rows]).all()


def test_a_pruner_is_taken_from_an_earlier_job(tmp_path, pruner):
    with project(tmp_path) as p:
        source = extracted(p, rows_of(p))
        code, first = prune(p, pruner, (source,))
        assert code == 0
        digest = Pruner.load(p.store.pdir(p.uid) / first / "pruner").digest
        for ask in (prune, verify):
            code, job = ask(p, first, (source,))
            assert code == 0
            record = json.loads((p.store.pdir(p.uid) / job / "frostpick.json").read_text())
            assert record["model"] == {"digest": digest, "parent": None, "name": first}
        made = set(p.store.jobs)
        for ask in (prune, verify):
            with pytest.raises(ModelError, match=r"P1-J2 has no pruner/model.safetensors; --prun"):
                ask(p, "J2", (source,))
        with pytest.raises(ModelError, match=r"has no pruner/.*'frostpick cryosparc prune'"):
            prune(p, job, (source,))  # a verifying job keeps none
        assert set(p.store.jobs) == made


def test_labels_are_two_outputs_or_the_rest(tmp_path, pruner, monkeypatch):
    caught = {}

    class Reached(Exception):
        pass

    def stub(start, labels, reporter, **others):
        caught.update(labels=labels, **others)
        raise Reached

    monkeypatch.setattr("frostpick.pruning.fit.tune_pruner", stub)
    with project(tmp_path) as p:
        rows = rows_of(p)
        source = extracted(p, rows)
        good = extracted(p, [r for r in rows if r[3]][:3], "particles_selected", first=7000)
        bad = extracted(p, [r for r in rows if not r[3]][:2], "particles_excluded", first=8000)
        code, _ = prune(p, pruner, (source,), labels=(good,), bad=(bad,))
        assert code == 1 and caught["labels"].good.tolist() == [True] * 3 + [False] * 2
        centre = caught["labels"].boxes[:, 22:26, 22:26].mean((1, 2))
        assert (centre[:3] < -2).all() and (centre[3:].abs() < 1.5).all()
        # the first three rows of the input itself: the other ones are the rest
        first = extracted(p, rows[:3], "particles_selected", first=1000)
        code, _ = prune(p, pruner, (source,), labels=(first,), bad=("rest",))
        assert code == 1
        assert int((~caught["labels"].good).sum()) == len(rows) - 3


def test_what_cannot_work_makes_no_job(tmp_path, pruner):
    with project(tmp_path) as p:
        rows = rows_of(p)
        picks = extracted(p, rows, slots=("location", "pick_stats"))
        before = len(p.store.jobs)
        with pytest.raises(InputError, match="no particles to prune"):
            prune(p, pruner, ())
        with pytest.raises(InputError, match=r"no slot 'blob' with data.*--micrographs"):
            prune(p, pruner, (picks,))
        with pytest.raises(InputError, match="bad examples without labels"):
            prune(p, pruner, (picks,), micrographs=(EXPOSURES,), bad=(picks,))
        assert len(p.store.jobs) == before
