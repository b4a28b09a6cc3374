"""Datasets in and out, with all that is checked on a save."""

import numpy as np
from cryosparc.dataset import Dataset
from cryosparc.dataset.dtype import normalize_field

from . import registry
from .base import ACTIVE, Refused


class Datasets:
    """Part of the store."""

    def _result_dataset(self, puid, juid, output, result, version="F"):
        job = self.job(puid, juid)
        res = next((r for r in job.spec.outputs.root[output].results if r.name == result), None)
        if res is None or not res.metafiles:
            raise Refused(422, f"{puid}-{juid}.{output}.{result} has no data")
        i = -1
        if version != "F":
            if version not in res.versions:
                raise Refused(422, f"{puid}-{juid}.{output}.{result} has no version {version}")
            i = res.versions.index(version)
        return Dataset.load(self.pdir(puid) / res.metafiles[i], prefixes=[result])

    def _join(self, parts):
        """Column-wise join of datasets on uid, keeping the order of the first."""
        base = parts[0]
        for d in parts[1:]:
            base = base.innerjoin(d)
        return base

    def load_output(self, puid, juid, oname, slots, version="F"):
        job = self.job(puid, juid)
        out = job.spec.outputs.root.get(oname)
        if out is None:
            raise Refused(422, f"Job {juid} has no output {oname}")
        if slots in ("all", "default", "passthrough"):
            want = [
                r.name
                for r in out.results
                if r.metafiles and (slots == "all" or r.passthrough == (slots == "passthrough"))
            ]
        else:
            want = list(slots)
            unknown = [s for s in want if s not in {r.name for r in out.results}]
            if unknown:
                raise Refused(422, f"Output {juid}.{oname} has no slot(s) {', '.join(unknown)}")
        if not want:
            raise Refused(422, f"Output {puid}-{juid}.{oname} is empty")
        return self._join([self._result_dataset(puid, juid, oname, w, version) for w in want])

    def load_input(self, puid, juid, iname, slots):
        job = self.job(puid, juid)
        inp = job.spec.inputs.root.get(iname)
        if inp is None:
            raise Refused(422, f"Job {juid} has no input {iname}")
        if not inp.connections:
            raise Refused(422, f"Input {juid}.{iname} has no connections")
        parts = []
        for c in inp.connections:
            named = {r.name: r for r in c.results if r.name}
            passed = {r.result: r for r in c.results if not r.name}
            if slots == "default":
                pick = named
            elif slots == "passthrough":
                pick = passed
            elif slots == "all":
                pick = {**passed, **named}
                pick = {
                    k: r
                    for k, r in pick.items()
                    if self._has_data(puid, r) or (k in named and self._required(inp, k))
                }
            else:
                pick = {}
                for s in slots:
                    r = named.get(s) or passed.get(s)
                    if r is None:
                        raise Refused(422, f"Input {juid}.{iname} is not connected to slot {s}")
                    pick[s] = r
            if not pick:
                raise Refused(422, f"Input {juid}.{iname}: nothing to load for slots={slots!r}")
            cols = []
            for name, r in pick.items():
                d = self._result_dataset(puid, r.job_uid, r.output, r.result, r.version)
                if r.result != name:
                    d.rename_fields(lambda f, a=r.result, b=name: f.replace(a + "/", b + "/", 1))
                cols.append(d)
            parts.append(self._join(cols))
        if len(parts) == 1:
            return parts[0]
        return Dataset.append_many(*parts, assert_same_fields=False)

    def _has_data(self, puid, r):
        out = self.job(puid, r.job_uid).spec.outputs.root[r.output]
        return any(x.name == r.result and x.metafiles for x in out.results)

    def _required(self, inp, name):
        return any(s.name == name and s.required for s in inp.slots)

    def output_fields(self, puid, juid, oname, full=None):
        job = self.job(puid, juid)
        out = job.spec.outputs.root.get(oname)
        if out is None:
            raise Refused(422, f"Job {juid} has no output {oname}")
        full = (self.opt.alloc == "full") if full is None else full
        fields = []
        for s in out.slots:
            req, extra = registry.FIELDS[s.dtype, out.type]
            fields += [(f"{s.name}/{f}", d) for f, d in (req + (extra if full else []))]
        return fields

    def save_output(self, puid, juid, oname, dset: Dataset, version=0):
        job = self.job(puid, juid)
        if job.spec.type != "snowflake":
            raise Refused(422, f"{puid}-{juid} is not an external job")
        if job.status not in ACTIVE:
            raise Refused(
                422,
                f"Cannot save output: job {juid} has status {job.status}, must be running or waiting",
            )
        out = job.spec.outputs.root.get(oname)
        if out is None:
            raise Refused(422, f"Job {juid} has no output {oname}")
        errs = self.build_errors(job)
        if errs:
            raise Refused(422, f"Cannot save output: inputs not ready: {[e.loc for e in errs]}")
        have = set(dset.descr())
        need = {normalize_field(f, d) for f, d in self.output_fields(puid, juid, oname, full=False)}
        missing = need - have
        if missing:
            raise Refused(422, f"Invalid dataset; missing the following required fields: {missing}")
        if "uid" not in dset.fields():
            raise Refused(
                422, "Invalid dataset; missing the following required fields: {('uid', '<u8')}"
            )
        declared = {s.name for s in out.slots}
        extra = set(dset.prefixes()) - declared
        if extra:
            self.notes.append(f"{puid}-{juid}.{oname}: undeclared slots dropped: {sorted(extra)}")
        opt = {}
        for s in out.slots:
            _, o = registry.FIELDS[s.dtype, out.type]
            opt.update({f"{s.name}/{f}": normalize_field(f"{s.name}/{f}", d) for f, d in o})
        for f in dset.descr():
            if f[0] in opt and f != opt[f[0]]:
                raise Refused(422, f"Invalid dataset; field {f} should be {opt[f[0]]}")
        if self.opt.strict_values:
            self._check_values(job, out, dset)
        uids = np.asarray(dset["uid"])
        if len(np.unique(uids)) != len(uids):
            raise Refused(422, "Invalid dataset; duplicate uid values")
        pt = None
        if out.passthrough:
            self._passthrough_results(job, oname)
            pt_slots = [r.name for r in out.results if r.passthrough]
            src = self.load_input(puid, juid, out.passthrough, "all")
            lost = set(uids.tolist()) - set(np.asarray(src["uid"]).tolist())
            if lost:
                raise Refused(
                    422,
                    f"Output {oname} passes through input {out.passthrough}, but {len(lost)} uid(s) "
                    "are not in that input",
                )
            pt_slots = [s for s in pt_slots if s in src.prefixes()]
            if pt_slots:
                pt = src.filter_prefixes(pt_slots, copy=True)
                order = {u: i for i, u in enumerate(np.asarray(pt["uid"]).tolist())}
                pt = pt.take([order[u] for u in uids.tolist()])
        keep = dset.filter_prefixes(sorted(declared), copy=True)
        rel = f"{job.job_dir}/{oname}.cs"
        keep.save(self.pdir(puid) / rel)
        if pt is not None:
            ptrel = f"{job.job_dir}/{job.uid}_passthrough_{oname}.cs"
            pt.save(self.pdir(puid) / ptrel)
        for r in out.results:
            if r.passthrough and (pt is None or r.name not in pt.prefixes()):
                continue
            r.versions, r.metafiles, r.num_items = (
                [version],
                [ptrel if r.passthrough else rel],
                [len(dset)],
            )
        out.num_items = len(dset)
        return self.save_job(job)

    def _check_values(self, job, out, d):
        def bad(msg):
            raise Refused(422, f"Invalid dataset; {msg}")

        if len(d) and (np.asarray(d["uid"]) == 0).any():
            bad("uid must not be zero")
        for s in out.slots:
            for f, dt in registry.FIELDS[s.dtype, out.type][0]:
                if "f" in dt and not np.isfinite(np.asarray(d[f"{s.name}/{f}"])).all():
                    bad(f"{s.name}/{f} is not finite")
            if s.dtype == "location" and len(d):
                x, y = (
                    np.asarray(d[f"{s.name}/center_x_frac"]),
                    np.asarray(d[f"{s.name}/center_y_frac"]),
                )
                if (x < 0).any() or (x > 1).any() or (y < 0).any() or (y > 1).any():
                    bad("location/center_x_frac and center_y_frac must lie in [0, 1]")
                if (np.asarray(d[f"{s.name}/micrograph_shape"]) == 0).any():
                    bad("location/micrograph_shape is zero")
                if (np.asarray(d[f"{s.name}/micrograph_uid"]) == 0).any():
                    bad("location/micrograph_uid is zero")
                if (
                    f"{s.name}/micrograph_psize_A" in d.fields()
                    and (np.asarray(d[f"{s.name}/micrograph_psize_A"]) <= 0).any()
                ):
                    bad("location/micrograph_psize_A must be positive")
                self._check_paths(job, set(d[f"{s.name}/micrograph_path"]), bad)
                self._check_mics(job, s.name, d, bad)
            if s.dtype in (
                "micrograph_blob",
                "blob",
                "ml_model",
                "topaz_model",
                "deep_picker_model",
            ) and len(d):
                self._check_paths(job, set(d[f"{s.name}/path"]), bad)

    def _check_paths(self, job, paths, bad):
        for p in paths:
            if not p or str(p).startswith("/") or ".." in str(p):
                bad(f"path {p!r} must be relative to the project directory")
            if not (self.pdir(job.project_uid) / str(p)).exists():
                bad(f"path {p!r} does not exist in the project directory")

    def _check_mics(self, job, slot, d, bad):
        """Picks must agree with the exposures connected to this job, when there are any."""
        mics = []
        for iname, inp in job.spec.inputs.root.items():
            if inp.type == "exposure" and inp.connections:
                try:
                    mics.append(
                        self.load_input(job.project_uid, job.uid, iname, ["micrograph_blob"])
                    )
                except Refused:
                    pass
        if not mics:
            return
        known = {}
        for m in mics:
            for u, p, sh, ps in zip(
                m["uid"],
                m["micrograph_blob/path"],
                m["micrograph_blob/shape"],
                m["micrograph_blob/psize_A"],
                strict=False,
            ):
                known[int(u)] = (str(p), tuple(int(v) for v in sh), float(ps))
        ps_f = f"{slot}/micrograph_psize_A"
        for i, (u, p, sh) in enumerate(
            zip(
                d[f"{slot}/micrograph_uid"],
                d[f"{slot}/micrograph_path"],
                d[f"{slot}/micrograph_shape"],
                strict=False,
            )
        ):
            if int(u) not in known:
                bad(f"location/micrograph_uid {int(u)} is not among the connected exposures")
            kp, ksh, kps = known[int(u)]
            if str(p) != kp:
                bad(f"location/micrograph_path {p!r} does not belong to micrograph_uid {int(u)}")
            if tuple(int(v) for v in sh) != ksh:
                bad(
                    f"location/micrograph_shape {tuple(int(v) for v in sh)} is not {ksh} (y, x) of micrograph_uid {int(u)}"
                )
            if ps_f in d.fields() and abs(float(d[ps_f][i]) - kps) > 1e-3 * kps:
                bad(
                    f"location/micrograph_psize_A {float(d[ps_f][i])} is not {kps} of micrograph_uid {int(u)}"
                )
