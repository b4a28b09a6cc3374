"""Row 0 of a TIFF file is row 0 in CryoSPARC: the same pixels as MRC give the same rows."""

import csv

import numpy as np
import pytest

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

import tifffile
from cryosparc_project import project
from csemu.seed import complete, write_output
from csemu.store import Options
from test_cryosparc_fewshot import few, short_training
from test_cryosparc_pick import check_picks_on_truth, output, pick, pixels
from test_cryosparc_prune import EXPOSURES, extracted, prune, rows_of
from test_cryosparc_train import reached, train

from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.tasks.pick import finish

pytestmark = pytest.mark.cryosparc
__all__ = ["reached", "short_training"]  # fixtures


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch):
    monkeypatch.setattr(finish, "pick_figures", lambda *a: [])
    monkeypatch.setattr("frostpick_jobs.tasks.prune.run.prune_figures", lambda *a: [])


def places(rows):
    """Return number of rows of the image, fractions and score of rows, in an order of their own."""
    shapes = np.array(rows["location/micrograph_shape"])
    names = ("location/center_x_frac", "location/center_y_frac", "pick_stats/power")
    columns = [shapes[:, 0], *(np.array(rows[name]) for name in names)]
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("remote", [False, True], ids=["mounted", "downloaded"])
def test_picks_on_tiff_are_those_on_mrc(tmp_path, remote):
    found = {}
    for tiff in (False, True):
        with project(tmp_path / str(tiff), Options(remote_paths=remote), tiff=tiff) as p:
            code, job = pick(p)
            assert code == 0
            rows = output(p, job, "particles")
            check_picks_on_truth(p, rows)
            found[tiff] = places(rows)
    assert found[True] == found[False] and len(found[True]) >= 21


def test_labels_on_tiff_are_right_side_up(tmp_path, reached):
    with project(tmp_path, tiff=True) as p:
        train(p)
        assert set(reached["labels"])
        assert not [t for t in p.texts(p.latest()) if "upside down" in t]


def test_examples_on_tiff_pick_the_particles(tmp_path):
    scores = {}
    for tiff in (False, True):
        with project(tmp_path / str(tiff), tiff=tiff, shapes=((200, 320),)) as p:
            code, job = few(p)
            assert code == 0
            scores[tiff] = places(output(p, job, "particles_all"))
    assert scores[True] == scores[False] and scores[True]


def test_boxes_on_tiff_are_cut_where_the_picks_are(tmp_path, pruner):
    with project(tmp_path, tiff=True) as p:
        rows = rows_of(p)
        source = extracted(p, rows, slots=("location", "pick_stats"))
        code, job = prune(p, pruner, (source,), micrographs=(EXPOSURES,))
        assert code == 0
        text = (p.store.pdir(p.uid) / job / "scores.csv").read_text()
        kept = [row["keep"] == "1" for row in csv.DictReader(text.splitlines())]
        assert kept == [good for *_, good in rows]


def test_a_result_of_reversed_rows_is_not_resumed(tmp_path):
    from frostpick_jobs.hosts.cryosparc.read.sources import ProjectFile, RemoteFile

    for name, told in (("a.TIF", True), ("a.tiff", True), ("a.mrc", False)):
        (tmp_path / name).write_bytes(b"x")
        for one in (ProjectFile(tmp_path, name), RemoteFile(None, name, 7)):
            assert one.fingerprint().endswith(":rows as stored") == told


def with_mirrored_slot(p):
    """Write exposures whose slot ``other`` is the image upside down; return the output."""
    native = p.store.load_output(p.uid, "J2", "exposures", "all")
    job = p.store.create_job(p.uid, "W1", "import_micrographs", "other program")
    fields = [
        (f"other/{f.split('/')[1]}", t[0], *t[1:])
        for f, *t in native.descr()
        if f.startswith("micrograph_blob/")
    ]
    made = native.add_fields([(n, *rest) for n, *rest in fields])
    for row, name in enumerate(made["micrograph_blob/path"]):
        image = tifffile.imread(p.store.pdir(p.uid) / name)
        target = f"{job.job_dir}/other_{row}.tif"
        tifffile.imwrite(p.store.pdir(p.uid) / target, image[::-1])
        made["other/path"][row] = target
    for name in ("shape", "psize_A", "format"):
        made[f"other/{name}"] = made[f"micrograph_blob/{name}"]
    slots = [("micrograph_blob",) * 2, ("other", "micrograph_blob"), ("mscope_params",) * 2]
    write_output(p.store, job, "exposures", "exposure", made, slots)
    complete(p.store, job)
    return OutputRef(job.uid, "exposures")


def test_picks_upside_down_on_their_micrographs_are_noticed(tmp_path):
    """Picks on an image that another program has mirrored, written for the original."""

    def warned(p, job):
        return [text for text in p.texts(job) if "upside down" in text]

    with project(tmp_path, tiff=True) as p:
        assert warned(p, pick(p)[1]) == []
        (line,) = warned(p, pick(p, flip_y=True)[1])
        assert "leave out --flip-y" in line
        source = (with_mirrored_slot(p),)
        (line,) = warned(p, pick(p, micrographs=source, image_slot="other")[1])
        assert "repeat with --flip-y" in line
        code, job = pick(p, micrographs=source, image_slot="other", flip_y=True)
        assert code == 0 and warned(p, job) == []
        rows = output(p, job, "particles")
        x, y, _ = pixels(rows)
        assert len(x) == len(y) >= 21
        check_picks_on_truth(p, rows)
