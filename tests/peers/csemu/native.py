"""Inspect Picks and Extract, as far as they are doubled."""

from pathlib import Path

import numpy as np
from cryosparc import mrc
from cryosparc.models.job_spec import (
    OutputResult,
)

from . import registry
from .base import Refused, now


class NativeJobs:
    """Part of the store."""

    def enqueue(self, puid, juid):
        job = self.job(puid, juid)
        if job.spec.type == "snowflake":
            raise Refused(422, "External jobs cannot be queued")
        if job.spec.type not in registry.RUNNABLE:
            raise Refused(501, f"The emulator does not run {job.spec.type}")
        if job.status != "building":
            raise Refused(422, f"Cannot queue job {juid} with status {job.status}")
        if self.build_errors(job):
            raise Refused(
                422, f"Job {juid} has build errors: {[e.loc for e in self.build_errors(job)]}"
            )
        job.queued_at = job.started_at = job.running_at = now()
        if (
            job.spec.type == "inspect_picks_v2"
        ):  # interactive: waits for set_thresholds / shutdown_interactive
            self._consume(job)
            job.status, job.waiting_at = "waiting", now()
            self.thresholds[puid, juid] = {
                "ncc_score_thresh": -1e30,
                "lpower_thresh_min": -1e30,
                "lpower_thresh_max": 1e30,
            }
            return self.save_job(job)
        return self._run_native(job)

    def interact(self, puid, juid, action, body):
        job = self.job(puid, juid)
        if job.status != "waiting" or (puid, juid) not in self.thresholds:
            raise Refused(422, f"Job {juid} is not waiting for interaction")
        th = self.thresholds[puid, juid]
        if action == "set_thresholds":
            if not set(body) <= set(th) or not all(
                isinstance(v, (int, float)) for v in body.values()
            ):
                raise Refused(422, f"Bad thresholds {body}")
            th.update(body)
            return None
        if action == "shutdown_interactive":
            self._run_native(job)
            return None
        raise Refused(501, f"The emulator does not know action {action}")

    def _run_native(self, job):
        puid, juid = job.project_uid, job.uid
        try:
            getattr(self, "_run_" + job.spec.type)(job)
            job.status, job.completed_at = "completed", now()
            self.write_group_files(job)
        except Refused as e:
            job.status, job.failed_at, job.has_error = "failed", now(), True
            self.add_text(puid, juid, str(e.detail), "error")
        return self.save_job(job)

    def _emit(self, job, oname, dset, slots, pt=None):
        out = job.spec.outputs.root[oname]
        rel = f"{job.job_dir}/{oname}.cs"
        keep = dset.filter_prefixes(slots, copy=True)
        keep.save(self.pdir(job.project_uid) / rel)
        for r in out.results:
            r.versions, r.metafiles, r.num_items = [0], [rel], [len(dset)]
        if pt is not None and len(pt.prefixes()):
            ptrel = f"{job.job_dir}/{job.uid}_passthrough_{oname}.cs"
            pt.save(self.pdir(job.project_uid) / ptrel)
            dts = {
                r.name or r.result: r.dtype
                for c in job.spec.inputs.root[out.passthrough].connections
                for r in c.results
            }
            out.results = [r for r in out.results if not r.passthrough]
            for p in pt.prefixes():
                out.results.append(
                    OutputResult(
                        name=p,
                        dtype=dts.get(p, p),
                        passthrough=True,
                        versions=[0],
                        metafiles=[ptrel],
                        num_items=[len(dset)],
                    )
                )
        out.num_items = len(dset)

    def _consume(self, job):
        """Load and cross-check micrographs and picks as a picking consumer would."""
        mics = self.load_input(job.project_uid, job.uid, "micrographs", "all")
        parts = self.load_input(job.project_uid, job.uid, "particles", "all")
        known = set(np.asarray(mics["uid"]).tolist())
        orphan = set(np.asarray(parts["location/micrograph_uid"]).tolist()) - known
        if orphan:
            raise Refused(
                422,
                f"{len(orphan)} micrograph_uid(s) of the picks are not in the connected micrographs",
            )
        return mics, parts

    def _run_inspect_picks_v2(self, job):
        mics, parts = self._consume(job)
        p = self.thresholds[job.project_uid, job.uid]
        keep = (
            (np.asarray(parts["pick_stats/ncc_score"]) >= p["ncc_score_thresh"])
            & (np.asarray(parts["pick_stats/power"]) >= p["lpower_thresh_min"])
            & (np.asarray(parts["pick_stats/power"]) <= p["lpower_thresh_max"])
        )
        parts = parts.mask(keep)
        m_pt = mics.filter_prefixes(
            [x for x in mics.prefixes() if x != "micrograph_blob"], copy=True
        )
        p_pt = parts.filter_prefixes([x for x in parts.prefixes() if x != "location"], copy=True)
        self._emit(job, "micrographs", mics, ["micrograph_blob"], m_pt)
        self._emit(job, "particles", parts, ["location"], p_pt)

    def _run_extract_micrographs_cpu_parallel(self, job):
        mics, parts = self._consume(job)
        par = job.spec.params.model_dump()
        box = int(par["box_size_pix"])
        root = self.pdir(job.project_uid)
        (self.jdir(job) / "extract").mkdir(exist_ok=True)
        rows, stacks = [], {}
        for m in mics.rows():
            sel = np.nonzero(np.asarray(parts["location/micrograph_uid"]) == m["uid"])[0]
            if not len(sel):
                continue
            _, img = mrc.read(root / m["micrograph_blob/path"])
            img = img[int(m["micrograph_blob/idx"])] if img.shape[0] > 1 else img[0]
            if par["flip_y"]:
                img = img[::-1]
            if par["flip_x"]:
                img = img[:, ::-1]
            ny, nx = img.shape
            boxes, kept = [], []
            for i in sel:
                # row index counts from the first row stored in the MRC file
                cy = round(float(parts["location/center_y_frac"][i]) * ny)
                cx = round(float(parts["location/center_x_frac"][i]) * nx)
                y0, x0 = cy - box // 2, cx - box // 2
                if y0 < 0 or x0 < 0 or y0 + box > ny or x0 + box > nx:
                    continue
                boxes.append(img[y0 : y0 + box, x0 : x0 + box])
                kept.append(i)
            if not boxes:
                continue
            rel = f"{job.job_dir}/extract/{Path(str(m['micrograph_blob/path'])).stem}_particles.mrc"
            mrc.write(
                root / rel, np.stack(boxes).astype(np.float32), float(m["micrograph_blob/psize_A"])
            )
            for k, i in enumerate(kept):
                rows.append(i)
                stacks[i] = (rel, k, float(m["micrograph_blob/psize_A"]))
        if not rows:
            raise Refused(422, "No particles extracted")
        out = parts.take(rows).filter_prefixes(
            [p for p in parts.prefixes() if p != "blob"], copy=True
        )
        out.add_fields(
            [
                ("blob/path", "O"),
                ("blob/idx", "<u4"),
                ("blob/shape", "<u4", (2,)),
                ("blob/psize_A", "<f4"),
                ("blob/sign", "<f4"),
                ("blob/import_sig", "<u8"),
            ]
        )
        out["blob/path"] = np.array([stacks[i][0] for i in rows], dtype=object)
        out["blob/idx"] = np.array([stacks[i][1] for i in rows], dtype=np.uint32)
        out["blob/shape"] = np.tile(np.array([box, box], np.uint32), (len(rows), 1))
        out["blob/psize_A"] = np.array([stacks[i][2] for i in rows], dtype=np.float32)
        out["blob/sign"] = np.full(len(rows), -1.0, np.float32)
        p_pt = out.filter_prefixes(
            [x for x in out.prefixes() if x not in ("blob", "location")], copy=True
        )
        m_pt = mics.filter_prefixes(
            [x for x in mics.prefixes() if x != "micrograph_blob"], copy=True
        )
        self._emit(job, "particles", out, ["blob", "location"], p_pt)
        self._emit(job, "micrographs", mics, ["micrograph_blob"], m_pt)
