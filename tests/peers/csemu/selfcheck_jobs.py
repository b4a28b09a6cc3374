"""Selfcheck of life cycle, wiring and saving."""

import io
import sys
import tempfile
from pathlib import Path

import numpy as np
from cryosparc.dataset import CSDAT_FORMAT, Dataset
from cryosparc.errors import ExternalJobError

from .selfcheck_tools import PNG, check, fill, new_job, refused, wired


@check("life cycle: create, wire, load_input, run, log, plot, upload, save, complete, load back")
def lifecycle(cs, made, store, picks):
    p, job = wired(cs, made)
    assert job.type == "snowflake" and job.status == "building" and job.title == "Deep picker"
    assert (
        set(job.inputs) == {"micrographs"}
        and job.inputs["micrographs"].connections[0].job_uid == made["exposures"][0]
    )
    again = p.find_external_job(job.uid)
    assert again.uid == job.uid
    job.set_title("Deep picker 2"), job.set_description("d")
    job.print_input_spec(), job.print_output_spec()
    mics = job.load_input("micrographs")
    assert {"micrograph_blob", "ctf", "background_blob", "ctf_stats"} <= set(mics.prefixes())
    assert set(job.load_input("micrographs", slots="default").prefixes()) == {
        "micrograph_blob",
        "mscope_params",
        "ctf",
        "background_blob",
    }
    assert set(job.load_input("micrographs", slots=["ctf"]).prefixes()) == {"ctf"}
    refused(lambda: job.load_input("micrographs", slots=["nope"]), "nope")
    refused(lambda: job.load_input("nope"), "no input")
    refused(lambda: job.save_output("particles", fill(job, picks)), "building")
    with job.run():
        assert p.find_job(job.uid).status == "running"
        e1 = job.log("hello")
        e2 = job.log("step 1", name="progress")
        e3 = job.log("step 2", name="progress", level="warning")
        assert e2 == e3 != e1
        cp = job.log_checkpoint({"k": 1})
        job.log_plot(
            io.BytesIO(PNG), "a plot", formats=["png"], raw_data="x,y\n1,2\n", raw_data_format="csv"
        )
        job.mkdir("models")
        job.upload("models/model.pt", b"weights" * 10)
        refused(lambda: job.upload("models/model.pt", b"x"), "already exists")
        job.upload("models/model.pt", b"new", overwrite=True)
        job.upload("models/text.txt", io.StringIO("text handle"))
        refused(lambda: job.upload("nodir/x", b"x"), "does not exist")
        with job.download("models/model.pt") as f:
            assert f.read() == b"new"
        with tempfile.TemporaryDirectory() as t:
            job.download_file("models/text.txt", Path(t) / "x")
            assert (Path(t) / "x").read_text() == "text handle"
        job.symlink("models/model.pt", "latest.pt"), job.cp("models/model.pt", "copy.pt")
        assert {"models", "latest.pt", "copy.pt"} <= set(job.list_files())
        assert "models/model.pt" in job.list_files(recursive=True)
        out = fill(job, picks)
        job.save_output("particles", out, image=io.BytesIO(PNG))
        job.set_tile_image(io.BytesIO(PNG))
        job.upload_dataset("debug.cs", out)
        assert job.download_dataset("debug.cs") == out
        job.upload_dataset("debug2.cs", out, format=CSDAT_FORMAT)
        assert job.download_dataset("debug2.cs") == out
        job.upload_mrc("a.mrc", np.ones((4, 6), np.float32), 1.5)
        assert job.download_mrc("a.mrc")[1].shape == (1, 4, 6)
        job.subprocess([sys.executable, "-c", "print('sub out')"], mute=True)
    job.refresh()
    assert job.status == "completed" and job.outputs["particles"].num_items == len(picks)
    assert job.outputs["particles"].image and job.model.ui_tile_images
    ev = cs.api.jobs.get_event_logs(p.uid, job.uid)
    kinds = [e.type for e in ev]
    assert "image" in kinds and "checkpoint" in kinds and cp in [e.id for e in ev]
    assert any(e.type == "warning" and e.text == "step 2" for e in ev) and any(
        getattr(e, "text", "") == "sub out" for e in ev
    )
    assets = job.list_assets()
    assert {a.contentType for a in assets} >= {"image/png", "text/csv"}
    with tempfile.TemporaryDirectory() as t:
        job.download_asset(assets[0].id, Path(t) / "a.png")
        assert (Path(t) / "a.png").read_bytes() == PNG
    back = p.find_job(job.uid).load_output("particles")
    assert back == out
    disk = Dataset.load(Path(job.dir) / "particles.cs")
    assert disk == out and np.load(Path(job.dir) / "particles.cs")["uid"].dtype == np.uint64
    assert "particle.location" in (Path(job.dir) / f"{job.uid}_particles.csg").read_text()
    # rules the v5 changelog states
    refused(lambda: job.add_output("particle", "more", slots=["location"]), "completed", "clear")
    refused(lambda: job.save_output("particles", out), "completed")
    refused(lambda: job.start("running"), "completed")
    job.clear()
    assert (
        job.status == "building"
        and not (Path(store.jdir(store.job(p.uid, job.uid))) / "particles.cs").exists()
    )


@check("failure: exception inside run() gives failed + error event; stop(error=...)")
def failing(cs, made, picks):
    p, job = wired(cs, made)
    try:
        with job.run():
            raise KeyError("boom")
    except KeyError:
        pass
    assert job.status == "failed" and any(
        "boom" in getattr(e, "text", "") for e in cs.api.jobs.get_event_logs(p.uid, job.uid)
    )
    _, j2 = wired(cs, made)
    j2.start("waiting"), j2.start("running"), j2.stop(error="out of memory")
    assert j2.refresh().status == "failed"
    assert j2.wait_for_done() == "failed"
    # what the real client does on Ctrl-C inside run(): the job is marked COMPLETED
    _, j3 = wired(cs, made)
    try:
        with j3.run():
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert j3.refresh().status == "completed"


@check("kill: seen by polling, later saves refused, client's own kill/queue raise")
def killing(cs, made, picks, store):
    p, job = wired(cs, made)
    refused(lambda: job.kill(), "Cannot kill", exc=ExternalJobError)
    refused(lambda: job.queue(), "Cannot queue", exc=ExternalJobError)
    job.start("running")
    p.find_job(job.uid).kill()  # e.g. the user pressed Kill in the web interface
    assert job.status == "running" and job.refresh().status == "killed"
    refused(lambda: job.save_output("particles", fill(job, picks)), "killed")
    job.log("noticed the kill", level="warning")
    store.opt.mark_failed_after_kill = "refuse"
    refused(lambda: job.stop(error="x"), "killed")
    store.opt.mark_failed_after_kill = "allow"
    refused(lambda: job.start("running"), "killed")
    job.clear()
    assert job.refresh().status == "building"


@check(
    "wiring refusals: names, slots, types, counts, unknown outputs, self-connection, missing required slots"
)
def wiring(cs, made):
    p, job = new_job(cs, made)
    refused(
        lambda: job.add_output("particle", "bad name", slots=["location"]),
        "Invalid output name",
        exc=ValueError,
    )
    refused(lambda: job.add_input("exposure", "a", slots=[]), "slots", exc=ValueError)
    refused(
        lambda: job.connect("mics", *made["exposures"]), "slots", exc=ValueError
    )  # new input without slots
    refused(lambda: job.add_output("particle", "a", slots=["nonsense"]), "nonsense")
    refused(lambda: job.add_output("exposure", "a", slots=["background_blob"]), "stat_blob")
    refused(lambda: job.add_output("exposure", "a", slots=["location"]), "location")
    refused(
        lambda: cs.api.jobs.add_external_output(
            p.uid,
            job.uid,
            "1x",
            __import__("cryosparc.models.job_spec", fromlist=["OutputSpec"]).OutputSpec(
                type="particle", title="t", slots=["location"]
            ),
        ),
        "Invalid output name",
    )
    refused(
        lambda: cs.api.jobs.add_external_input(
            p.uid, job.uid, "x", {"type": "banana", "title": "t", "slots": ["location"]}
        ),
        "literal_error",
    )
    refused(lambda: cs.api.jobs.add_external_input(p.uid, job.uid, "x", {"title": "t"}), "missing")
    refused(
        lambda: job.add_output("particle", "p", slots=["location"], passthrough="ghost"), "ghost"
    )
    job.add_input("particle", "train", min=1, max=1, slots=["location", "pick_stats"])
    refused(lambda: job.connect("train", *made["exposures"]), "exposure")
    refused(
        lambda: job.connect("train", made["picks"][0], "nope"),
        "does not have output",
        exc=ValueError,
    )
    refused(lambda: job.connect("train", job.uid, "x"), "itself", exc=ValueError)
    refused(lambda: job.connect("train", "J77", "x"), code=404)
    refused(lambda: job.start("running"), "not ready")
    job.connect("train", *made["picks"])  # native manual picks here carry no pick_stats
    assert job.model.build_errors
    refused(lambda: job.start("running"), "pick_stats")
    refused(lambda: job.connect("train", *made["picks"]), "at most")
    job.disconnect("train")
    assert not job.inputs["train"].connections
    refused(
        lambda: job.add_output("exposure", "e", slots=["micrograph_blob"], passthrough="train"),
        "type",
    )


@check(
    "save_output refusals: fields, dtypes, fractions, uids, paths, shape order, unknown output, wrong body"
)
def saving(cs, made, picks, store):
    p, job = wired(cs, made)
    job.start("running")

    def good():
        return fill(job, picks)

    def bad(edit, *words):
        d = good()
        d = edit(d) or d
        refused(lambda: job.save_output("particles", d), *words)

    def setv(f, v):
        return lambda d: d.__setitem__(f, v)

    def retype(f, t):
        def go(d):
            v = np.asarray(d[f]).astype(t)
            d.drop_fields([f])
            d.add_fields([f], [np.dtype(t).str])
            d[f] = v

        return go

    bad(
        lambda d: d.drop_fields(["location/micrograph_shape"]),
        "missing the following required fields",
        "micrograph_shape",
    )
    bad(lambda d: d.drop_fields(["pick_stats/power"]), "pick_stats/power")
    bad(retype("location/center_x_frac", "f8"), "center_x_frac")
    bad(retype("location/micrograph_uid", "i8"), "micrograph_uid")
    bad(retype("location/micrograph_psize_A", "f8"), "micrograph_psize_A")
    bad(setv("location/center_y_frac", 1.2), "[0, 1]")
    bad(setv("location/center_x_frac", -0.1), "[0, 1]")
    bad(setv("location/center_x_frac", np.nan), "finite")
    bad(setv("pick_stats/ncc_score", np.inf), "finite")
    bad(setv("location/micrograph_uid", 12345), "not among")
    bad(setv("location/micrograph_path", "/abs/path.mrc"), "relative")
    bad(setv("location/micrograph_path", "J1/imported/none.mrc"), "does not exist")
    bad(setv("location/micrograph_psize_A", 99.0), "psize")
    bad(
        lambda d: d.__setitem__(
            "location/micrograph_shape", np.asarray(d["location/micrograph_shape"])[:, ::-1].copy()
        ),
        "(y, x)",
    )
    bad(setv("uid", 5), "duplicate")
    bad(setv("uid", 0), "uid")
    refused(lambda: job.save_output("nope", good()), "no output nope")
    refused(lambda: job.alloc_output("nope", 3), "no output nope")
    import httpx

    url = cs.base_url + f"/api/cmd/projects/{p.uid}/jobs/{job.uid}/outputs/particles/dataset"
    hdr = {"Authorization": f"Bearer {list(store.tokens)[-1]}"}
    assert httpx.post(url, content=b"x", headers=hdr).status_code == 415
    assert (
        httpx.post(
            url, content=b"x", headers={**hdr, "Content-Type": "application/x-cryosparc-dataset"}
        ).status_code
        == 422
    )
    assert httpx.post(url, content=b"x").status_code == 401
    job.save_output("particles", good())
    job.save_output("particles", fill(job, picks, 3), version=1)  # only the last version is kept
    assert len(job.load_output("particles")) == 3
    store.opt.alloc = "min"
    assert "location/micrograph_psize_A" not in job.alloc_output("particles", 1).fields()
    job.save_output(
        "particles", job.alloc_output("particles", 0)
    )  # no picks at all is a legal answer
    store.opt.alloc = "full"
    assert len(job.load_output("particles")) == 0
    refused(
        lambda: cs.api.assets.upload(
            p.uid,
            job.uid,
            __import__("cryosparc.stream", fromlist=["Stream"]).Stream.load(io.BytesIO(b"not png")),
            filename="a.png",
            format="png",
        ),
        "not png",
    )
    job.stop()
