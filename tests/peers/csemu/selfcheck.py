"""Drive the real cryosparc-tools client against the double: python -m csemu.selfcheck."""

import ast
import io
import os
import tempfile
import warnings
from pathlib import Path

import cryosparc
import numpy as np
from cryosparc.dataset import Dataset

from .seed import seed_project, synthetic_micrographs
from .selfcheck_jobs import failing, killing, lifecycle, saving, wiring
from .selfcheck_tools import PASSED, PNG, check, connect, fill, new_job, refused, wired
from .serve import running
from .store import Options, Store


@check("conformance: every emulated endpoint has the client stub's own arguments")
def conformance(cs):
    schema = cs.api()  # re-reads openapi.json
    cs.api(auth=(("picker@example.com", __import__("hashlib").sha256(b"secret").hexdigest())))
    tree = ast.parse((Path(cryosparc.__file__).parent / "api.pyi").read_text())
    stubs = {}
    for c in tree.body:
        if isinstance(c, ast.ClassDef):
            ns = "" if c.name == "APIClient" else c.name[:-3].lower() + "."
            for f in c.body:
                if isinstance(f, ast.FunctionDef):
                    a = f.args
                    stubs[ns + f.name] = (
                        [x.arg for x in a.posonlyargs if x.arg != "self"],
                        [x.arg for x in a.args if x.arg != "self"],
                        {x.arg for x in a.kwonlyargs},
                    )
    n = 0
    for path, methods in schema["paths"].items():
        for _m, ep in methods.items():
            pos, body, kw = stubs[ep["summary"]]
            got_pos = [w.strip("{}") for w in __import__("re").findall(r"{([^}]*)}", path)]
            got_kw = {p["name"] for p in ep.get("parameters", []) if p["in"] == "query"}
            assert got_pos == pos, (ep["summary"], got_pos, pos)
            content = ep.get("requestBody", {}).get("content", {})
            if "application/x-www-form-urlencoded" in content:
                n += 1
                continue
            assert got_kw == kw, (ep["summary"], got_kw ^ kw)
            got_body = (
                [
                    next(iter(content.values()))["schema"]
                    .get("title", "body")
                    .lower()
                    .replace(" ", "_")
                ]
                if content
                else []
            )
            assert got_body == body, (ep["summary"], got_body, body)
            n += 1
    print(f"      {n} endpoints compared with api.pyi of cryosparc-tools {cryosparc.__version__}")


@check("login: password, wrong password, no credentials, version warning")
def logins(url, cs, store):
    assert cs.test_connection() and cs.user.emails[0].address == "picker@example.com"
    refused(lambda: connect(url, password="nope"), "401", exc=RuntimeError)
    refused(
        lambda: connect(url, email=None, password=None),
        "authentication not provided",
        exc=ValueError,
    )
    store.opt.version = "v4.7.1"
    with warnings.catch_warnings(record=True) as w:
        warnings.simplefilter("always")
        connect(url)
        assert any("may not be compatible" in str(x.message) for x in w)
    store.opt.version = "v5.0.3"


@check("find: project, workspace, jobs, directories, job register")
def finding(cs, made, store):
    p = cs.find_project(made["project_uid"])
    assert Path(p.dir).is_dir() and p.title
    assert p.find_workspace(made["workspace_uid"]).title == "Picking"
    types = [j.type for j in p.find_jobs()]
    assert types == ["import_micrographs", "patch_ctf_estimation_multi", "manual_picker"], types
    assert [x.uid for x in cs.find_projects()] == [p.uid]
    assert [j.uid for j in cs.find_jobs(p.uid, status="completed", type="manual_picker")] == [
        made["manual_picker"]
    ]
    j = p.find_job(made["manual_picker"])
    assert (Path(j.dir) / "particles.cs").exists() and j.status == "completed"
    assert next((Path(p.dir) / made["import_job"] / "imported").iterdir()).is_symlink()
    refused(lambda: p.find_job("J99"), code=404)
    refused(lambda: cs.find_project("P9").model, code=404)
    refused(lambda: p.find_external_job(j.uid), "not an external job", exc=TypeError)
    cs.print_job_types(category="extraction")
    assert any(f.endswith(".csg") for f in j.list_files())


@check("seeded data: dtypes, shape order (y, x), picks on the discs with row = frac * ny")
def seeded(cs, made, truth):
    p = cs.find_project(made["project_uid"])
    exp = p.find_job(made["exposures"][0]).load_output(made["exposures"][1])
    assert {"micrograph_blob", "ctf", "mscope_params", "background_blob"} <= set(exp.prefixes())
    assert exp["micrograph_blob/shape"].dtype == np.uint32 and exp["micrograph_blob/shape"].shape[
        1:
    ] == (2,)
    picks = p.find_job(made["picks"][0]).load_output(made["picks"][1])
    head, img = p.download_mrc(exp["micrograph_blob/path"][0])
    assert (
        tuple(exp["micrograph_blob/shape"][0]) == (head.ny, head.nx) == img.shape[1:]
        and head.ny != head.nx
    )
    sel = picks.query({"location/micrograph_uid": exp["uid"][0]})
    assert len(sel) == len(truth[0][1])
    ny, nx = img.shape[1:]
    r = np.rint(np.asarray(sel["location/center_y_frac"]) * ny).astype(int)
    c = np.rint(np.asarray(sel["location/center_x_frac"]) * nx).astype(int)
    on = np.mean([img[0, a - 3 : a + 4, b - 3 : b + 4].mean() for a, b in zip(r, c, strict=False)])
    off = np.mean(
        [img[0, ny - a - 3 : ny - a + 4, b - 3 : b + 4].mean() for a, b in zip(r, c, strict=False)]
    )
    assert on < -2 and off > -1, (on, off)


@check("passthrough: pruned picks and micrographs keep inherited slots; foreign uids refused")
def passthrough(cs, made, picks):
    p, job = new_job(cs, made, "Prune")
    job.connect("particles", *made["picks"], slots=["location"])
    job.connect("micrographs", *made["exposures"], slots=["micrograph_blob"])
    job.add_output("particle", "kept", slots=["location", "pick_stats"], passthrough="particles")
    job.add_output("exposure", "micrographs", slots=["micrograph_blob"], passthrough="micrographs")
    assert {r.name for r in job.outputs["micrographs"].results if r.passthrough} >= {
        "ctf",
        "mscope_params",
    }
    late = p.create_external_job(made["workspace_uid"], title="output first, connection later")
    late.add_input("exposure", "m", slots=["micrograph_blob"])
    late.add_output("exposure", "m", slots=["micrograph_blob"], passthrough="m")
    late.connect("m", *made["exposures"])
    assert {r.name for r in late.outputs["m"].results if r.passthrough} >= {"ctf", "mscope_params"}
    with job.run():
        src = job.load_input("particles")
        sub = src.take(list(range(0, len(src), 2)))
        out = job.alloc_output("kept", sub)
        for f in sub.fields():
            if f in out.fields():
                out[f] = sub[f]
        job.save_output("kept", out)
        mics = job.load_input("micrographs")
        mo = job.alloc_output("micrographs", mics)
        for f in mo.fields():
            mo[f] = mics[f]
        job.save_output("micrographs", mo)
        fresh = job.alloc_output("kept", len(out))  # random uids: not rows of the passthrough input
        for f in fresh.fields():
            if f != "uid":
                fresh[f] = out[f]
        refused(lambda: job.save_output("kept", fresh), "not in that input")
    kept = p.find_job(job.uid).load_output("kept")
    assert sorted(kept["uid"]) == sorted(out["uid"])
    back = p.find_job(job.uid).load_output("micrographs")
    assert {"ctf", "mscope_params", "background_blob", "micrograph_blob"} <= set(back.prefixes())
    assert {r.name for r in job.refresh().outputs["micrographs"].results if r.passthrough} >= {
        "ctf",
        "mscope_params",
    }
    assert len(Dataset.load(Path(job.dir) / f"{job.uid}_passthrough_micrographs.cs")) == len(mics)
    _, half = new_job(cs, made, "Half of the micrographs")
    half.connect("m", *made["exposures"], slots=["micrograph_blob"])
    half.add_output("exposure", "m", slots=["micrograph_blob"], passthrough="m")
    with half.run():
        one = half.alloc_output("m", mics.take([1]))
        for f in one.fields():
            one[f] = mics.take([1])[f]
        half.save_output("m", one)
    assert len(Dataset.load(Path(half.dir) / f"{half.uid}_passthrough_m.cs")) == 1
    assert len(half.load_output("m")) == 1 and half.load_output("m")["uid"][0] == mics["uid"][1]


@check("one-shot: save_external_result with and without passthrough")
def oneshot(cs, made, picks):
    p = cs.find_project(made["project_uid"])
    d = Dataset.load(Path(p.find_job(made["picks"][0]).dir) / "particles.cs")
    d["location/center_y_frac"] = 1 - np.asarray(d["location/center_y_frac"])
    uid = p.save_external_result(
        made["workspace_uid"],
        d,
        "particle",
        "flipped",
        slots=["location"],
        passthrough=made["picks"],
        title="Flipped",
        image=io.BytesIO(PNG),
    )
    j = p.find_job(uid)
    assert (
        j.status == "completed" and j.type == "snowflake" and j.model.parents == [made["picks"][0]]
    )
    assert np.allclose(
        j.load_output("flipped")["location/center_y_frac"], d["location/center_y_frac"]
    )
    refused(
        lambda: p.save_external_result(
            made["workspace_uid"], d, "particle", "x", slots=["location", "blob"]
        ),
        "blob",
        exc=ValueError,
    )
    u2 = p.save_external_result(made["workspace_uid"], d, "particle", slots=["location"])
    assert set(p.find_job(u2).outputs) == {"particle"}


@check("model hand-over: ml_model output whose path points into the training job's directory")
def model(cs, made):
    p, job = new_job(cs, made, "Train")
    job.add_output("ml_model", "model", slots=["ml_model"])
    with job.run():
        job.upload("model.pt", b"weights")
        d = job.alloc_output("model", 1)
        d["ml_model/path"] = f"{job.uid}/missing.pt"
        d["ml_model/type"] = "custom"
        refused(lambda: job.save_output("model", d), "does not exist")
        d["ml_model/path"] = f"{job.uid}/model.pt"
        job.save_output("model", d)
    _q, infer = new_job(cs, made, "Infer")
    infer.connect("model", job.uid, "model", slots=["ml_model"])
    path = infer.load_input("model")["ml_model/path"][0]
    with p.download(path) as f:
        assert f.read() == b"weights"


@check(
    "native consumers: Inspect Picks and Extract accept the picks; boxes show the particles (no flip)"
)
def consumers(cs, made, picks):
    p, job = wired(cs, made, "Picks for downstream")
    with job.run():
        job.save_output("particles", fill(job, picks))
    ins = p.create_job(
        made["workspace_uid"],
        "inspect_picks_v2",
        connections={"micrographs": made["exposures"], "particles": (job.uid, "particles")},
    )
    ins.queue()
    assert ins.wait_for_status("waiting") == "waiting"
    refused(lambda: ins.interact("set_thresholds", {"nonsense": 1}), "nonsense")
    ins.interact(
        "set_thresholds",
        {"ncc_score_thresh": 0.5, "lpower_thresh_min": 0, "lpower_thresh_max": 1e6},
    )
    ins.interact("shutdown_interactive")
    assert ins.wait_for_done() == "completed"
    left = ins.load_output("particles")
    assert 0 < len(left) < len(picks) and {"location", "pick_stats"} <= set(left.prefixes())
    means = {}
    for flip in (False, True):
        ext = p.create_job(
            made["workspace_uid"],
            "extract_micrographs_cpu_parallel",
            params={"box_size_pix": 20, "flip_y": flip},
            connections={
                "micrographs": (ins.uid, "micrographs"),
                "particles": (ins.uid, "particles"),
            },
        )
        ext.queue()
        assert ext.status == "completed", cs.api.jobs.get_event_logs(p.uid, ext.uid)
        b = ext.load_output("particles")
        assert {"blob", "location", "pick_stats"} <= set(b.prefixes())
        _, st = ext.download_mrc(Path(b["blob/path"][0]).relative_to(ext.uid))
        means[flip] = st[:, 7:13, 7:13].mean()
    assert means[False] < -2 < means[True], means
    c2d = p.create_job(
        made["workspace_uid"], "class_2D_new", connections={"particles": (ext.uid, "particles")}
    )
    assert any(
        "ctf" in e.loc for e in c2d.model.build_errors
    )  # this extraction double adds no ctf slot
    refused(
        lambda: p.create_job(
            made["workspace_uid"],
            "extract_micrographs_cpu_parallel",
            connections={"particles": made["exposures"]},
        ),
        "exposure",
    )
    nostats = p.create_job(
        made["workspace_uid"],
        "inspect_picks_v2",
        connections={"micrographs": made["exposures"], "particles": made["picks"]},
    )
    refused(lambda: nostats.queue(), "pick_stats")


@check("restart: state reloads from the project folder")
def restart(root, made):
    s2 = Store(root)
    assert (
        s2.projects.keys() == {made["project_uid"]} and len(s2.jobs) > 5 and s2.events and s2.assets
    )


@check("remote paths: directories do not exist here, client still works over HTTP")
def remote(cs, made, store):
    store.opt.remote_paths = True
    p = cs.find_project(made["project_uid"])
    assert not Path(p.dir).exists()
    j = p.find_job(made["picks"][0])
    assert len(j.load_output("particles")) and "particles.cs" in j.list_files()
    store.opt.remote_paths = False


@check("client quirks an adapter must know")
def quirks(cs, made, store):
    p, job = wired(cs, made)
    job.start("running")
    job.upload("q.txt", b"q")
    here = os.getcwd()
    with tempfile.TemporaryDirectory() as t:
        os.chdir(t)
        try:
            job.download_file("q.txt")  # documented default target "" does not work in 5.0.3
            raise AssertionError("download_file default target now works")
        except FileNotFoundError:
            pass
        finally:
            os.chdir(here)
    import httpx

    refused(
        lambda: job.stop(error="e" * 70000), "too long", exc=httpx.InvalidURL
    )  # error text travels in the URL
    assert job.refresh().status == "running"
    try:
        cs.api.jobs.get_log(
            p.uid, job.uid
        )  # endpoint not emulated -> attribute missing on the client
        raise AssertionError
    except AttributeError:
        pass
    job.stop()


def main():
    with tempfile.TemporaryDirectory(prefix="csemu-") as tmp:
        truth = synthetic_micrographs(Path(tmp) / "raw")
        store = Store(Path(tmp) / "state", Options())
        made = seed_project(store, truth)
        with running(store) as url:
            cs = connect(url)
            logins(url, cs, store)
            conformance(cs)
            finding(cs, made, store)
            seeded(cs, made, truth)
            picks = cs.find_job(made["project_uid"], made["picks"][0]).load_output("particles")
            lifecycle(cs, made, store, picks)
            failing(cs, made, picks)
            killing(cs, made, picks, store)
            wiring(cs, made)
            saving(cs, made, picks, store)
            passthrough(cs, made, picks)
            oneshot(cs, made, picks)
            model(cs, made)
            consumers(cs, made, picks)
            remote(cs, made, store)
            quirks(cs, made, store)
            restart(Path(tmp) / "state", made)
    print(f"{len(PASSED)} groups passed")


if __name__ == "__main__":
    main()
