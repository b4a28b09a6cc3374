"""Pick in an External job, then Inspect Picks and Extract: boxes show the picked pixels."""

import json

import mrcfile
import numpy as np
import pytest
from made_images import spots_on_noise, write_mrc

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

from cryosparc_project import DIAMETER_A, asymmetric_truth, project, requested
from csemu.seed import complete, seed_project, write_output
from csemu.store import Options

from frostpick.settings import PickSettings
from frostpick_jobs.hosts.cryosparc import run
from frostpick_jobs.hosts.cryosparc.run import Tempo
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.tasks.pick import finish

pytestmark = pytest.mark.cryosparc

TEMPO = Tempo(poll=0.1, events=0.02)
BOX = 20
EXPOSURES = OutputRef("J2", "exposures")


@pytest.fixture(autouse=True)
def _without_pictures(request, monkeypatch):
    """Pictures take most of the time of so small a job: drawn only where they are looked at."""
    if "event_log" not in request.node.name:
        monkeypatch.setattr(finish, "pick_figures", lambda *a: [])


def pick(project, *, server=None, settings=None, tempo=TEMPO, **request):
    """Run a picking job; return the exit code and the job's uid."""
    asked = requested(
        "pick",
        project.uid,
        **{"workspace": "W1", "micrographs": (EXPOSURES,), **request},
    )
    options = {
        "model": "blob",
        "diameter": DIAMETER_A,
        "threshold": "p=0.9",
        "threads": 1,
        "device": "cpu",
    }
    code = run.run_task_for_exit_code(
        server or project.connect(),
        asked,
        PickSettings(**{**options, **(settings or {})}),
        spool=project.root / "spool",
        tempo=tempo,
    )
    return code, request.get("job") or project.latest()


def output(project, job, name, slots="all"):
    client = project.connect().client
    return client.find_job(project.uid, job).load_output(name, slots=slots)


def pixels(rows):
    """Return column, row (rounded as Extract does) and micrograph uid of picks."""
    shape = np.array(rows["location/micrograph_shape"], np.float64)
    x = np.rint(np.array(rows["location/center_x_frac"], np.float64) * shape[:, 1]).astype(int)
    y = np.rint(np.array(rows["location/center_y_frac"], np.float64) * shape[:, 0]).astype(int)
    return x, y, np.array(rows["location/micrograph_uid"])


def check_picks_on_truth(project, rows):
    """Every true particle has a pick within 3 px, on images that no flip maps on themselves."""
    x, y, of = pixels(rows)
    for number, uid in enumerate(uids(project)):
        found = np.stack([x, y], 1)[of == uid]
        true = np.array(project.truth[number][1])
        distance = np.linalg.norm(found[:, None] - true[None], axis=-1)
        assert (distance.min(axis=0) <= 3).all(), number


def uids(project, job="J2", name="exposures"):
    exposures = project.store.load_output(project.uid, job, name, "all")
    return [int(u) for u in exposures["uid"]]


SWITCHES = {
    "as it is": {},
    "lenient values": {"strict_values": False},
    "few fields": {"alloc": "min"},
    "not mounted": {"remote_paths": True},
    "refuses after a kill": {"mark_failed_after_kill": "refuse"},
    "development version": {"version": "develop"},
}


@pytest.mark.parametrize("switches", SWITCHES.values(), ids=SWITCHES)
def test_boxes_of_extract_show_the_picked_pixels(tmp_path, switches):
    with project(tmp_path, Options(**switches)) as p:
        code, job = pick(p)
        assert code == 0 and p.job(job).status == "completed"
        assert p.store.notes == []
        rows = output(p, job, "particles")
        check_picks_on_truth(p, rows)
        power = np.sort(rows["pick_stats/power"])
        threshold = float(power[2] + power[3]) / 2
        inspect = p.native(
            "inspect_picks_v2",
            {"micrographs": (job, "micrographs"), "particles": (job, "particles")},
            interact=[
                ("set_thresholds", {"ncc_score_thresh": 0.0, "lpower_thresh_min": threshold}),
                ("shutdown_interactive", {}),
            ],
        )
        assert inspect.status == "completed"
        extract = p.native(
            "extract_micrographs_cpu_parallel",
            {"micrographs": (inspect.uid, "micrographs"), "particles": (inspect.uid, "particles")},
            {"box_size_pix": BOX},
        )
        assert extract.status == "completed", p.texts(extract.uid)
        boxes = extract.load_output("particles")
        assert 15 <= len(boxes) <= len(rows) - 3
        assert min(boxes["pick_stats/power"]) >= threshold
        check_boxes(p, boxes)
        assert not (tmp_path / "spool" / "cryosparc").exists() or not list(
            (tmp_path / "spool").rglob("P1-*")
        )


def check_boxes(project, boxes):
    """Each box equals the micrograph around the pick, and its middle is a dark particle."""
    x, y, of = pixels(boxes)
    order = uids(project)
    images = [project.image(n) for n in range(len(order))]
    stacks = {}
    particles = 0
    for n in range(len(boxes)):
        path = str(boxes["blob/path"][n])
        if path not in stacks:
            folder = project.store.pdir(project.uid)
            stacks[path] = mrcfile.read(folder / path)
        box = stacks[path][int(boxes["blob/idx"][n])]
        image = images[order.index(int(of[n]))]
        top, left = y[n] - BOX // 2, x[n] - BOX // 2
        np.testing.assert_array_equal(box, image[top : top + BOX, left : left + BOX])
        truth = np.array(project.truth[order.index(int(of[n]))][1])
        if np.linalg.norm(truth - (x[n], y[n]), axis=1).min() <= 3:
            particles += 1
            assert box[7:13, 7:13].mean() < -2
    assert particles >= 15


def test_every_column_is_what_a_native_picker_writes(tmp_path):
    with project(tmp_path) as p:
        _, job = pick(p, settings={"min_distance": 40.0})
        selected, everything = (output(p, job, n) for n in ("particles", "particles_all"))
        exposures = p.store.load_output(p.uid, "J2", "exposures", "all")
        assert {tuple(f) for f in selected.descr()} == {
            ("uid", "<u8"),
            ("location/micrograph_uid", "<u8"),
            ("location/exp_group_id", "<u4"),
            ("location/micrograph_path", "|O"),
            ("location/micrograph_shape", "<u4", (2,)),
            ("location/center_x_frac", "<f4"),
            ("location/center_y_frac", "<f4"),
            ("location/micrograph_psize_A", "<f4"),
            ("location/min_dist_A", "<f4"),
            ("pick_stats/ncc_score", "<f4"),
            ("pick_stats/power", "<f4"),
            ("pick_stats/template_idx", "<u4"),
            ("pick_stats/angle_rad", "<f4"),
        }
        score = np.array(everything["pick_stats/power"], np.float64)
        probability = np.array(everything["pick_stats/ncc_score"], np.float64)
        np.testing.assert_allclose(probability, 1 / (1 + np.exp(-score)), rtol=1e-5)
        chosen = probability >= 0.9
        assert set(selected["uid"]) == set(np.array(everything["uid"])[chosen])
        assert 0 < len(selected) < len(everything) == len(set(everything["uid"]))
        assert probability.min() >= 0.001
        row = {int(u): n for n, u in enumerate(exposures["uid"])}
        at = [row[int(u)] for u in selected["location/micrograph_uid"]]
        for mine, theirs in (
            ("micrograph_path", "micrograph_blob/path"),
            ("micrograph_shape", "micrograph_blob/shape"),
            ("micrograph_psize_A", "micrograph_blob/psize_A"),
            ("exp_group_id", "mscope_params/exp_group_id"),
        ):
            expected = np.array(exposures[theirs])[at]
            assert (np.array(selected[f"location/{mine}"]) == expected).all(), mine
        assert set(selected["location/min_dist_A"]) == {np.float32(40.0)}
        micrographs = output(p, job, "micrographs")
        assert set(micrographs["uid"]) == set(exposures["uid"])
        assert {"micrograph_blob", "mscope_params", "ctf", "background_blob"} <= set(
            micrographs.prefixes()
        )


def test_the_event_log_tells_the_story(tmp_path):
    shapes = ((200, 320), (320, 200), (160, 170))
    with project(tmp_path, shapes=shapes, per=4) as p:
        empty = p.truth[2][0]
        with mrcfile.open(empty, "r+") as mrc:
            mrc.data[:] = np.random.default_rng(5).normal(size=mrc.data.shape)
        _, job = pick(p, settings={"threshold": "p=0.999"}, title="My picks")
        text = "\n".join(p.texts(job))
        assert "3 exposures, slot micrograph_blob, 3 image sizes, pixel size 2 A" in text
        assert "is mounted at" in text and "micrographs are read in place" in text
        assert "micrographs without a selected pick: 1" in text and "mic_002.mrc" in text
        assert "'Calibrate Pick Score to CTF' and 'Calibrate Power Score to CTF' off" in text
        assert "upper limit of the power at its maximum" in text
        assert "picks above the floor" in text and "threshold (score, = power)" in text
        progress = [t for t in p.texts(job) if t.startswith("picking:")]
        assert progress == ["picking: 3 of 3"]
        pictures = [e for e in p.store.events[p.uid, job] if e.type == "image"]
        assert sum("mic_00" in e.text for e in pictures) == 3 and len(pictures) >= 5
        assert all(len(e.text) < 300 and "…" not in e.text for e in pictures)
        model = p.job(job)
        first = next(e for e in pictures if "mic_000.mrc:" in e.text)
        shown = [
            first.imgfiles[0].fileid,
            model.ui_tile_images[0].fileid,
            model.spec.outputs.root["particles"].image,
        ]
        assert len({(p.store.db / "gridfs" / one).read_bytes() for one in shown}) == 1
        assert model.title == "My picks"
        assert "| threshold | p=0.999 |" in model.description and "Bepler" in model.description
        record = json.loads((p.store.jdir(model) / "frostpick.json").read_text())
        assert record["settings"]["threshold"] == "p=0.999" and record["counts"]["micrographs"] == 3
        everywhere = json.dumps(record) + model.description + text
        assert "secret" not in everywhere and "picker@example.com" not in everywhere


def test_another_slot_is_read_and_the_original_is_named(tmp_path):
    """Denoised images of half the size: positions come back on the original."""
    with project(tmp_path) as p:
        native = p.store.load_output(p.uid, "J2", "exposures", "all")
        job = p.store.create_job(p.uid, "W1", "patch_ctf_estimation_multi", "denoiser")
        binned = native.copy()
        binned.add_fields(
            [
                (name.replace("micrograph_blob/", "denoised/"), *rest)
                for name, *rest in native.descr()
                if name.startswith("micrograph_blob/")
            ]
        )
        for n, (_, truth) in enumerate(p.truth):
            shape = tuple(np.array(native["micrograph_blob/shape"][n]) // 2)
            halves = [(x / 2, y / 2) for x, y in truth]
            image = spots_on_noise(shape, halves, seed=n, deviation_px=4)
            path = write_mrc(p.store.jdir(job) / f"denoised_{n}.mrc", image, 4.0)
            binned["denoised/path"][n] = f"{job.job_dir}/{path.name}"
            binned["denoised/shape"][n] = shape
            binned["denoised/psize_A"][n] = 4.0
            binned["denoised/format"][n] = "MRC/2"
        slots = [("micrograph_blob",) * 2, ("denoised", "micrograph_blob"), ("mscope_params",) * 2]
        write_output(p.store, job, "exposures", "exposure", binned, slots)
        complete(p.store, job)
        source = (OutputRef(job.uid, "exposures"),)
        settings = {"diameter": 60.0}
        code, uid = pick(p, micrographs=source, image_slot="denoised", settings=settings)
        assert code == 0
        rows = output(p, uid, "particles")
        check_picks_on_truth(p, rows)
        assert set(rows["location/micrograph_path"]) == set(native["micrograph_blob/path"])
        assert set(rows["location/micrograph_psize_A"]) == {np.float32(2.0)}


def test_two_sessions_with_other_slots_shapes_and_pixel_sizes(tmp_path):
    with project(tmp_path, shapes=((200, 320), (320, 200))) as p:
        extra = tmp_path / "second"
        extra.mkdir()
        truth = asymmetric_truth((300, 400), 6, seed=9)
        image = spots_on_noise((300, 400), truth, seed=1, deviation_px=12)
        path = write_mrc(extra / "other.mrc", image, 1.3333334)
        bare = p.store.create_job(p.uid, "W1", "import_micrographs")
        made = seed_project(p.store, [(str(path), truth)], title="unused")
        rows = p.store.load_output(made["project_uid"], "J1", "imported_micrographs", "default")
        (p.store.jdir(bare) / "x.mrc").symlink_to(path)
        rows["micrograph_blob/path"][0] = f"{bare.job_dir}/x.mrc"
        only = [("micrograph_blob", "micrograph_blob")]
        write_output(p.store, bare, "imported", "exposure", rows, only)
        complete(p.store, bare)
        code, job = pick(p, micrographs=(EXPOSURES, OutputRef(bare.uid, "imported")))
        assert code == 0
        found = output(p, job, "particles", ["location"])
        x, y, of = pixels(found)
        here = of == int(rows["uid"][0])
        assert here.any() and (~here).any()
        distance = np.linalg.norm(
            np.stack([x, y], 1)[here][:, None] - np.array(truth)[None], axis=-1
        )
        assert (distance.min(axis=0) <= 4).all()
        sizes = np.array(found["location/micrograph_psize_A"])
        assert sizes[here] == pytest.approx(1.3333334) and (sizes[~here] == 2).all()
        groups = np.array(found["location/exp_group_id"])
        assert set(groups[here]) == {0} and set(groups[~here]) == {1}
        assert len(output(p, job, "micrographs", ["micrograph_blob"])) == 3


def test_flip_y_writes_the_mirrored_places(tmp_path):
    with project(tmp_path) as p:
        _, plain = pick(p)
        _, flipped = pick(p, flip_y=True)
        rows, mirrored = (output(p, job, "particles") for job in (plain, flipped))
        assert len(rows) == len(mirrored)
        x, y, of = pixels(rows)
        mx, my, mof = pixels(mirrored)
        ny = np.array(rows["location/micrograph_shape"])[:, 0].astype(int)
        mny = np.array(mirrored["location/micrograph_shape"])[:, 0].astype(int)
        assert set(zip(x, ny - 1 - y, of, strict=True)) == set(zip(mx, my, mof, strict=True))
        assert (mny > 0).all()
        assert not set(rows["uid"]) & set(mirrored["uid"])


def test_an_external_job_made_in_the_web_page(tmp_path):
    """Its own input names, its own slots; nothing but its number is given."""
    with project(tmp_path) as p:
        client = p.connect().client
        made = client.create_external_job(p.uid, "W1", title="by hand")
        made.add_input("exposure", "my_mics", slots=["micrograph_blob"])
        made.connect("my_mics", "J2", "exposures")
        code, job = pick(p, job=made.uid, workspace=None, micrographs=())
        assert code == 0 and job == made.uid
        check_picks_on_truth(p, output(p, job, "particles"))
        assert set(p.job(job).spec.inputs.root) == {"my_mics"}
        assert {"mscope_params", "ctf"} <= set(output(p, job, "micrographs").prefixes())
        assert p.job(job).title == "by hand"
