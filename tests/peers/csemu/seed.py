"""
Lay out a project as native jobs would have left it:

J1 import_micrographs        J1/imported/*.mrc
J2 patch_ctf_estimation_multi  output `exposures`
J3 manual_picker             outputs `micrographs`, `particles`

`micrographs` is a list of MRC (or .tif) paths or (path, picks) pairs; picks are (x, y)
pixel positions, x along columns and y along rows of the array as stored
(row 0 = first row in the file). link=False copies instead of linking.
"""

import hashlib
import shutil
from pathlib import Path

import numpy as np
from cryosparc import mrc
from cryosparc.dataset import Dataset
from cryosparc.dataset.dtype import normalize_field
from cryosparc.models.job_spec import Output, OutputResult, OutputSlot

from . import registry
from .store import now


def _uid(text):
    return int.from_bytes(hashlib.sha1(text.encode()).digest()[:8], "little") or 1


def new_rows(uids, otype, slots):
    """Return empty rows with the fields that an output of this type has in these slots."""
    d = Dataset({"uid": np.array(uids, dtype=np.uint64)})
    for name, dtype in slots:
        req, opt = registry.FIELDS[dtype, otype]
        d.add_fields([normalize_field(f"{name}/{f}", t) for f, t in req + opt])
    return d


def write_output(store, job, oname, otype, dset, slots, passthrough=()):
    """Write dset as the job's output; slots/passthrough are (name, dtype) pairs."""
    files = {
        False: f"{job.job_dir}/{oname}.cs",
        True: f"{job.job_dir}/{job.uid}_passthrough_{oname}.cs",
    }
    out = Output(
        type=otype,
        title=oname,
        slots=[OutputSlot(name=n, dtype=t) for n, t in slots],
        num_items=len(dset),
    )
    for is_pt, group in ((False, slots), (True, passthrough)):
        if not group:
            continue
        dset.filter_prefixes([n for n, _ in group], copy=True).save(
            store.pdir(job.project_uid) / files[is_pt]
        )
        out.results += [
            OutputResult(
                name=n,
                dtype=t,
                versions=[0],
                metafiles=[files[is_pt]],
                num_items=[len(dset)],
                passthrough=is_pt,
            )
            for n, t in group
        ]
    job.spec.outputs.root[oname] = out


def complete(store, job):
    """Mark a job as completed, as the server does when a native job ends."""
    job.status, job.completed_at = "completed", now()
    store.write_group_files(job)
    store.save_job(job)


def _mrc(path):
    import mrcfile

    with mrcfile.open(path, header_only=True, permissive=True) as file:
        head = file.header
        ny, nx, nz, width = int(head.ny), int(head.nx), int(head.nz), float(head.cella.x)
        mode = int(head.mode)
    if nz != 1:
        raise ValueError(f"{path}: expected one section, found {nz}")
    return ny, nx, width / nx if width > 0 else 0, f"MRC/{mode}"


def _tiff(path):
    import tifffile

    ny, nx = tifffile.imread(path).shape
    return ny, nx, 0, "TIFF"


def seed_project(
    store,
    micrographs,
    *,
    link=True,
    psize=None,
    title="Seeded picking project",
    kv=300.0,
    cs_mm=2.7,
    amp_contrast=0.1,
    diameter_A=100.0,
    native_stats=False,
):
    """Returns a dict with the uids made. `psize` overrides the MRC header's."""
    p = store.create_project(title)
    w = store.create_workspace(p.uid, "Picking")
    pairs = [m if isinstance(m, (tuple, list)) else (m, None) for m in micrographs]
    j1 = store.create_job(p.uid, w.uid, "import_micrographs", "Import Micrographs")
    (store.jdir(j1) / "imported").mkdir()
    mics = []
    for path, picks in pairs:
        path = Path(path)
        uid = _uid(str(path.resolve()))
        rel = f"{j1.job_dir}/imported/{uid:021d}_{path.name}"
        if link:  # Import Micrographs leaves symbolic links that point out of the project directory
            (store.pdir(p.uid) / rel).symlink_to(path.resolve())
        else:
            shutil.copyfile(path, store.pdir(p.uid) / rel)
        ny, nx, ps, mode = _tiff(path) if path.suffix == ".tif" else _mrc(path)
        ps = psize or ps
        if not ps > 0:
            raise ValueError(f"{path}: no pixel size in the header; give psize=")
        mics.append(
            dict(
                uid=uid,
                rel=rel,
                ny=ny,
                nx=nx,
                ps=ps,
                format=mode,
                picks=picks,
            )
        )
    n = len(mics)

    mb, ms, ctf = ("micrograph_blob",) * 2, ("mscope_params",) * 2, ("ctf",) * 2
    bg, cst = ("background_blob", "stat_blob"), ("ctf_stats",) * 2
    th = ("micrograph_thumbnail_blob_1x", "thumbnail_blob")
    allslots = [mb, ms, ctf, cst, bg, th]
    d = new_rows([m["uid"] for m in mics], "exposure", allslots)
    (store.jdir(j1) / "background").mkdir()
    for i, m in enumerate(mics):
        d["micrograph_blob/path"][i] = m["rel"]
        d["micrograph_blob/format"][i] = m["format"]
        bgrel = f"{j1.job_dir}/background/{m['uid']:021d}_background.mrc"
        mrc.write(
            store.pdir(p.uid) / bgrel,
            np.zeros((m["ny"] // 16 or 1, m["nx"] // 16 or 1), np.float32),
            m["ps"] * 16,
        )
        d["background_blob/path"][i] = bgrel
        d["background_blob/shape"][i] = [m["ny"] // 16 or 1, m["nx"] // 16 or 1]
        d["micrograph_thumbnail_blob_1x/path"][i] = ""
        d["micrograph_thumbnail_blob_1x/format"][i] = "PNG"
        d["micrograph_thumbnail_blob_1x/micrograph_path"][i] = m["rel"]
        d["ctf/path"][i] = d["ctf_stats/diag_image_path"][i] = d["ctf_stats/fit_data_path"][i] = ""
        d["ctf/type"][i] = d["ctf_stats/type"][i] = "spline"
        d["mscope_params/defect_path"][i] = ""
    d["micrograph_blob/shape"] = np.array([[m["ny"], m["nx"]] for m in mics], np.uint32)
    d["micrograph_blob/psize_A"] = np.array([m["ps"] for m in mics], np.float32)
    d["background_blob/psize_A"] = np.array([m["ps"] * 16 for m in mics], np.float32)
    d["background_blob/binfactor"] = np.full(n, 16, np.uint32)
    for pre in ("mscope_params", "ctf"):
        d[f"{pre}/accel_kv"] = np.full(n, kv, np.float32)
        d[f"{pre}/cs_mm"] = np.full(n, cs_mm, np.float32)
        d[f"{pre}/exp_group_id"] = np.full(n, 1, np.uint32)
    d["mscope_params/total_dose_e_per_A2"] = np.full(n, 50.0, np.float32)
    d["ctf/amp_contrast"] = np.full(n, amp_contrast, np.float32)
    d["ctf/df1_A"] = np.full(n, 12000.0, np.float32)
    d["ctf/df2_A"] = np.full(n, 11800.0, np.float32)
    d["ctf/ctf_fit_to_A"] = d["ctf_stats/ctf_fit_to_A"] = np.full(n, 4.0, np.float32)
    write_output(store, j1, "imported_micrographs", "exposure", d, [mb, ms])
    complete(store, j1)

    j2 = store.create_job(p.uid, w.uid, "patch_ctf_estimation_multi", "Patch CTF")
    write_output(store, j2, "exposures", "exposure", d, [ctf, cst], [mb, ms, bg, th])
    complete(store, j2)
    made = dict(
        project_uid=p.uid, workspace_uid=w.uid, import_job=j1.uid, exposures=(j2.uid, "exposures")
    )

    rows = [(m, x, y) for m in mics for x, y in (m["picks"] if m["picks"] is not None else [])]
    if any(m["picks"] is not None for m in mics):
        picked = [m for m in mics if m["picks"] is not None]
        j3 = store.create_job(p.uid, w.uid, "manual_picker", "Manual Picker")
        loc, st = ("location",) * 2, ("pick_stats",) * 2
        slots = [loc] + ([st] if native_stats else [])
        q = new_rows(
            [_uid(f"{m['uid']}:{k}:{x}:{y}") for k, (m, x, y) in enumerate(rows)], "particle", slots
        )
        q["location/micrograph_uid"] = np.array([m["uid"] for m, _, _ in rows], np.uint64)
        q["location/exp_group_id"] = np.full(len(rows), 1, np.uint32)
        q["location/micrograph_path"] = np.array([m["rel"] for m, _, _ in rows], dtype=object)
        q["location/micrograph_shape"] = np.array(
            [[m["ny"], m["nx"]] for m, _, _ in rows], np.uint32
        ).reshape(-1, 2)
        q["location/micrograph_psize_A"] = np.array([m["ps"] for m, _, _ in rows], np.float32)
        q["location/center_x_frac"] = np.array([x / m["nx"] for m, x, _ in rows], np.float32)
        q["location/center_y_frac"] = np.array([y / m["ny"] for m, _, y in rows], np.float32)
        q["location/min_dist_A"] = np.full(len(rows), diameter_A / 2, np.float32)
        if native_stats:
            q["pick_stats/ncc_score"] = np.full(len(rows), 0.5, np.float32)
            q["pick_stats/power"] = np.full(len(rows), 1000.0, np.float32)
        write_output(store, j3, "particles", "particle", q, slots)
        sub = d.query({"uid": [m["uid"] for m in picked]})
        write_output(store, j3, "micrographs", "exposure", sub, [mb], [ms, ctf, cst, bg, th])
        complete(store, j3)
        made.update(
            manual_picker=j3.uid,
            picks=(j3.uid, "particles"),
            picked_micrographs=(j3.uid, "micrographs"),
        )
    return made


def synthetic_micrographs(folder, n=3, shape=(300, 420), psize=2.0, per_mic=12, radius=12, seed=7):
    """Non-square noise micrographs with dark discs; returns [(path, [(x, y), ...])]. For selfchecks only."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    out = []
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    for k in range(n):
        img = rng.normal(0, 1, shape).astype(np.float32)
        pts = []
        while len(pts) < per_mic:
            # kept off the mirror line so that a y-flip cannot go unnoticed
            x, y = rng.integers(30, shape[1] - 30), rng.integers(30, shape[0] // 2 - 20)
            if all((x - a) ** 2 + (y - b) ** 2 > (3 * radius) ** 2 for a, b in pts):
                pts.append((int(x), int(y)))
            elif rng.random() < 0.02:
                break
        for x, y in pts:
            img[(xx - x) ** 2 + (yy - y) ** 2 < radius**2] -= 3
        path = folder / f"mic{k:02d}.mrc"
        mrc.write(path, img, psize)
        out.append((str(path), pts))
    return out
