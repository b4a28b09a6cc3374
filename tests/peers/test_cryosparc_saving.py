"""What is saved: every field, counted, and never said to have failed when it has not."""

import csv

import numpy as np
import pytest

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

from cryosparc_project import project
from csemu.seed import complete, write_output
from csemu.store import Options, Refused
from test_cryosparc_failures import pick as pick_for_code
from test_cryosparc_failures import spool
from test_cryosparc_pick import output, pick
from test_cryosparc_prune import EXPOSURES, SLOTS, check_rows, extracted, prune, rows_of, verify

from frostpick.errors import FrostpickError
from frostpick_jobs.hosts.cryosparc.run import Tempo
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.tasks.pick import finish

pytestmark = [
    pytest.mark.cryosparc,
    pytest.mark.filterwarnings("ignore:.*API client.*:UserWarning"),
]

ONE = ((200, 320),)


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch):
    monkeypatch.setattr(finish, "pick_figures", lambda *a: [])
    monkeypatch.setattr("frostpick_jobs.tasks.prune.run.prune_figures", lambda *a: [])


@pytest.mark.parametrize("alloc", ["min", "full"])
def test_optional_fields_of_micrographs_are_kept(tmp_path, alloc):
    with project(tmp_path, Options(alloc=alloc)) as p:
        made = p.store.load_output(p.uid, "J2", "exposures", ["micrograph_blob", "mscope_params"])
        made["micrograph_blob/vmin"] = np.array([-3.5, -4.0, -1.25], np.float32)
        made["micrograph_blob/vmax"] = np.array([3.0, 4.5, 9.0], np.float32)
        made["micrograph_blob/import_sig"] = np.array([7, 2**63 + 5, 9], np.uint64)
        job = p.store.create_job(p.uid, "W1", "import_micrographs", "imported")
        slots = [("micrograph_blob",) * 2, ("mscope_params",) * 2]
        write_output(p.store, job, "exposures", "exposure", made, slots)
        complete(p.store, job)
        code, picked = pick(p, micrographs=(OutputRef(job.uid, "exposures"),))
        assert code == 0
        found = output(p, picked, "micrographs", ["micrograph_blob"])
        at = [list(found["uid"]).index(uid) for uid in made["uid"]]
        for field in made.filter_prefixes(["micrograph_blob"], copy=True).fields():
            assert np.array_equal(np.array(found[field])[at], np.array(made[field])), field


@pytest.mark.parametrize("on", ["stacks", "micrographs"])
def test_optional_fields_of_pruned_particles_are_kept(tmp_path, pruner, on):
    with project(tmp_path, Options(alloc="min")) as p:
        rows = rows_of(p)
        slots = SLOTS if on == "stacks" else ("location", "pick_stats")
        source = extracted(p, rows, slots=slots)
        made = p.store.load_output(p.uid, source.job, source.output, "all")
        made["location/min_dist_A"] = np.arange(1, len(rows) + 1).astype(np.float32)
        write_output(
            p.store, p.job(source.job), source.output, "particle", made, [(s, s) for s in slots]
        )
        given = {} if on == "stacks" else {"micrographs": (EXPOSURES,)}
        code, job = prune(p, pruner, (source,), **given)
        assert code == 0
        check_rows(p, source, job, [row[3] for row in rows], slots)


@pytest.mark.parametrize("told", ["by the results", "nowhere"])
def test_a_count_of_the_server_that_is_zero_is_not_believed(tmp_path, monkeypatch, told):
    with project(tmp_path, shapes=ONE) as p:
        real, saved = p.store.save_output, []

        def save(project_uid, job_uid, name, *rest):
            saved.append(name)
            real(project_uid, job_uid, name, *rest)
            job = p.store.job(project_uid, job_uid)
            out = job.spec.outputs.root[name]
            out.num_items = 0
            if told == "nowhere":
                for result in out.results:
                    result.num_items = [0] * len(result.num_items)
            return p.store.save_job(job)

        monkeypatch.setattr(p.store, "save_output", save)
        code, job = pick(p)
        assert code == 0 and p.job(job).status == "completed"
        assert sorted(saved) == ["micrographs", "particles", "particles_all"]


def after(p, monkeypatch, name, answer):
    """Let the server do what it is asked once, and lose the answer."""
    real, lost = getattr(p.store, name), []

    def do(*arguments, **words):
        made = real(*arguments, **words)
        if not lost:
            lost.append(made)
            raise answer
        return made

    monkeypatch.setattr(p.store, name, do)
    return lost


@pytest.mark.parametrize("name", ["create_job", "connect", "mark_running", "mark_completed"])
def test_a_lost_answer_is_no_failure(tmp_path, monkeypatch, name):
    with project(tmp_path, shapes=ONE) as p:
        before = len(p.store.jobs)
        lost = after(p, monkeypatch, name, Refused(502, "Bad Gateway"))
        code, job = pick(p)
        assert lost and code == 0
        assert p.job(job).status == "completed" and len(p.store.jobs) == before + 1
        assert not list((tmp_path / "spool").rglob(f"{p.uid}-{job}"))


@pytest.mark.parametrize(
    ("by", "word"),
    [
        ("kill", "was killed in the web page"),
        ("clear", "was cleared in the web page"),
        ("complete", "was marked as completed in the web page"),
    ],
)
def test_what_somebody_did_is_seen_at_the_save(tmp_path, monkeypatch, caplog, by, word):
    with project(tmp_path, shapes=ONE) as p:
        real = p.store.save_output

        def save(project_uid, job, *rest):
            if by == "complete":
                p.store.mark_completed(project_uid, job)
            elif p.job(job).status == "running":
                p.store.kill(project_uid, job)
                if by == "clear":
                    p.store.clear(project_uid, job)
            return real(project_uid, job, *rest)

        monkeypatch.setattr(p.store, "save_output", save)
        monkeypatch.setattr("test_cryosparc_failures.FAST", Tempo(poll=600.0, events=0.02))
        assert pick_for_code(p) == 130
        assert word in caplog.text
        assert ("clear it in the web page, then resume" in caplog.text) == (by == "complete")
        assert len(list((spool(p, p.latest()) / "picks").glob("*.npz"))) == 1


def test_an_empty_output_that_is_refused_does_not_fail_the_job(tmp_path, monkeypatch, caplog):
    with project(tmp_path, shapes=ONE) as p:
        real = p.store.save_output

        def save(project_uid, job, name, dataset, version=0):
            if not len(dataset):
                raise Refused(422, "Invalid dataset; no rows")
            return real(project_uid, job, name, dataset, version)

        monkeypatch.setattr(p.store, "save_output", save)
        code, job = pick(p, settings={"threshold": "50"})
        assert code == 0 and p.job(job).status == "completed"
        assert f"{job}.particles stays empty" in caplog.text


def curated(p, kept):
    """Return an output with some of the micrographs."""
    made = p.store.load_output(p.uid, "J2", "exposures", ["micrograph_blob", "mscope_params"])
    job = p.store.create_job(p.uid, "W1", "import_micrographs", "curated")
    slots = [("micrograph_blob",) * 2, ("mscope_params",) * 2]
    write_output(p.store, job, "accepted", "exposure", made.take(kept), slots)
    complete(p.store, job)
    return OutputRef(job.uid, "accepted")


def test_rows_on_micrographs_that_were_curated_away_are_rejected(tmp_path, pruner, caplog):
    with project(tmp_path) as p:
        rows = rows_of(p)
        source = extracted(p, rows, slots=("location", "pick_stats"))
        code, job = prune(p, pruner, (source,), micrographs=(curated(p, [0, 2]),))
        assert code == 0 and p.job(job).status == "completed"
        uids = 1000 + np.arange(len(rows))
        kept, rejected = (
            set(p.store.load_output(p.uid, job, f"particles_{name}", "all")["uid"])
            for name in ("kept", "rejected")
        )
        assert kept == {u for u, row in zip(uids, rows, strict=True) if row[3] and row[0] != 1}
        assert rejected == {
            u for u, row in zip(uids, rows, strict=True) if not row[3] and row[0] != 1
        }
        text = (p.store.pdir(p.uid) / job / "scores.csv").read_text()
        table = {int(row["uid"]): row for row in csv.DictReader(text.splitlines())}
        away = [table[u]["reason"] for u, row in zip(uids, rows, strict=True) if row[0] == 1]
        assert len(table) == len(rows) and set(away) == {"not read"}
        assert f"{job}.particles_rejected is without 7 rows" in caplog.text


def test_rows_on_micrographs_that_were_curated_away_are_verified_as_not_read(tmp_path, pruner):
    """They have the scores that either slider of Inspect Picks leaves out."""
    with project(tmp_path) as p:
        rows = rows_of(p)
        source = extracted(p, rows, slots=("location", "pick_stats"))
        code, job = verify(p, pruner, (source,), micrographs=(curated(p, [1]),))
        assert code == 0 and p.job(job).status == "completed"
        after = p.store.load_output(p.uid, job, "particles_verified", "all")
        on = {1000 + n: row[0] == 1 for n, row in enumerate(rows)}
        assert sorted(after["uid"]) == sorted(on)
        for uid, probability, spread in zip(
            after["uid"], after["pick_stats/ncc_score"], after["pick_stats/power"], strict=True
        ):
            assert (
                (probability > 0 and spread < 999)
                if on[uid]
                else (probability, spread)
                == (
                    0.0,
                    999.0,
                )
            )


@pytest.mark.parametrize("connected", [False, True])
def test_an_input_for_a_model_stops_nothing(tmp_path, connected):
    """One that somebody made, required and empty, or that holds a model the server dislikes."""
    with project(tmp_path, shapes=ONE) as p:
        client = p.connect().client
        job = client.create_external_job(p.uid, "W1", title="made by hand")
        slots = [{"name": "ml_model", "dtype": "ml_model", "required": True}]
        job.add_input("ml_model", "model", min=1, max=1, slots=slots)
        if connected:
            trained = client.create_external_job(p.uid, "W1", title="training")
            trained.add_output("ml_model", "model", slots=slots[:1])
            job.connect("model", trained.uid, "model")
        code, done = pick(p, job=job.uid, workspace=None)
        assert code == 0 and done == job.uid and p.job(done).status == "completed"


def test_an_output_without_a_slot_that_is_needed_is_named(tmp_path):
    with project(tmp_path, shapes=ONE) as p:
        job = p.connect().client.create_external_job(p.uid, "W1", title="made by hand")
        job.add_output("particle", "particles", slots=["location"])
        with pytest.raises(FrostpickError, match="output 'particles' without the slot pick_stats"):
            pick(p, job=job.uid, workspace=None)
        assert p.job(job.uid).status == "building"
