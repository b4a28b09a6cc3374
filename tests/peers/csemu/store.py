"""State of the emulated instance: projects, workspaces, jobs, datasets, events, assets."""

import json
import os
import re
import shutil
import threading
import uuid
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from cryosparc import mrc
from cryosparc.dataset import Dataset
from cryosparc.dataset.dtype import normalize_field
from cryosparc.models.asset import GridFSAsset, GridFSFile
from cryosparc.models.event import CheckpointEvent, ImageEvent, TextEvent
from cryosparc.models.job import Job, RunError, UiTileImage
from cryosparc.models.job_spec import (
    Connection,
    Input,
    InputResult,
    InputSlot,
    InputSpec,
    JobBuildError,
    JobSpec,
    Output,
    OutputResult,
    OutputSlot,
    OutputSpec,
    Params,
)
from cryosparc.models.project import Project
from cryosparc.models.resource import ResourceSpec
from cryosparc.models.user import Email, User
from cryosparc.models.workspace import Workspace
from cryosparc.spec import ASSET_CONTENT_TYPES

from . import EMULATED_VERSION, registry

NAME = re.compile(r"^[A-Za-z][0-9A-Za-z_]*$")
ACTIVE = {"running", "waiting"}
STATUS_NUM = {
    s: i
    for i, s in enumerate(
        [
            "building",
            "queued",
            "launched",
            "started",
            "running",
            "waiting",
            "completed",
            "killed",
            "failed",
        ]
    )
}


class Refused(Exception):
    """A request the server answers with an error status."""

    def __init__(self, code, detail):
        super().__init__(detail)
        self.code, self.detail = code, detail


def now():
    return datetime.now(timezone.utc)


def oid():
    return uuid.uuid4().hex[:24]


def uidkey(u):
    return int(u[1:])


class Options:
    """Switches that let a verifier vary what the public sources leave open."""

    def __init__(
        self,
        *,
        email="picker@example.com",
        password="secret",
        strict_values=True,
        alloc="full",
        remote_paths=False,
        version=EMULATED_VERSION,
        mark_failed_after_kill="allow",
    ):
        assert alloc in ("min", "full") and mark_failed_after_kill in ("allow", "refuse")
        self.email, self.password = email, password
        self.strict_values, self.alloc, self.remote_paths = strict_values, alloc, remote_paths
        self.version, self.mark_failed_after_kill = version, mark_failed_after_kill


class Store:
    def __init__(self, root, options=None):
        self.root = Path(root).resolve()
        self.db = self.root / "_db"
        (self.db / "gridfs").mkdir(parents=True, exist_ok=True)
        self.opt = options or Options()
        self.lock = threading.RLock()
        self.projects, self.workspaces, self.jobs = {}, {}, {}
        self.events, self.assets, self.notes, self.thresholds = {}, {}, [], {}
        self.user = User(
            _id="0" * 23 + "1",
            name="picker",
            first_name="Pick",
            last_name="Er",
            emails=[Email(address=self.opt.email, verified=True)],
            roles={"__global_roles__": ["admin"]},
            created_at=now(),
        )
        self._load()

    # ---------------------------------------------------------------- persistence
    def _load(self):
        for pj in sorted(self.root.glob("*/project.json")):
            p = Project.model_validate_json(pj.read_text())
            p.project_dir = str(pj.parent)
            self.projects[p.uid] = p
            for w in json.loads((pj.parent / "workspaces.json").read_text()):
                w = Workspace.model_validate(w)
                self.workspaces[p.uid, w.uid] = w
            for jj in pj.parent.glob("J*/job.json"):
                j = Job.model_validate_json(jj.read_text())
                self.jobs[p.uid, j.uid] = j
        for f in self.db.glob("gridfs/*.json"):
            a = GridFSFile.model_validate_json(f.read_text())
            self.assets[a.id] = a
        ev = self.db / "events.json"
        if ev.exists():
            kinds = {"image": ImageEvent, "checkpoint": CheckpointEvent}
            for e in json.loads(ev.read_text()):
                m = kinds.get(e["type"], TextEvent).model_validate(e)
                self.events.setdefault((m.project_uid, m.job_uid), []).append(m)

    def _dump_events(self):
        out = [
            json.loads(e.model_dump_json(by_alias=True)) for es in self.events.values() for e in es
        ]
        (self.db / "events.json").write_text(json.dumps(out, indent=1))

    def _dump_project(self, puid):
        d = self.pdir(puid)
        (d / "project.json").write_text(
            self.projects[puid].model_dump_json(by_alias=True, indent=1)
        )
        ws = [
            json.loads(w.model_dump_json(by_alias=True))
            for (p, _), w in self.workspaces.items()
            if p == puid
        ]
        (d / "workspaces.json").write_text(json.dumps(ws, indent=1))

    def save_job(self, job):
        job.updated_at = now()
        job.status_num = STATUS_NUM[job.status]
        job.build_errors = self.build_errors(job)
        (self.jdir(job) / "job.json").write_text(job.model_dump_json(by_alias=True, indent=1))
        return job

    # ---------------------------------------------------------------- lookup
    def project(self, puid):
        if puid not in self.projects:
            raise Refused(404, f"Project {puid} not found")
        return self.projects[puid]

    def workspace(self, puid, wuid):
        self.project(puid)
        if (puid, wuid) not in self.workspaces:
            raise Refused(404, f"Workspace {puid}-{wuid} not found")
        return self.workspaces[puid, wuid]

    def job(self, puid, juid):
        self.project(puid)
        if (puid, juid) not in self.jobs:
            raise Refused(404, f"Job {puid}-{juid} not found")
        return self.jobs[puid, juid]

    def pdir(self, puid):
        return Path(self.project(puid).project_dir)

    def jdir(self, job):
        return self.pdir(job.project_uid) / job.job_dir

    def shown_dir(self, path):
        if self.opt.remote_paths:
            return "/not-mounted-here" + str(path)
        return str(path)

    # ---------------------------------------------------------------- creation
    def create_project(self, title):
        n = 1 + max([uidkey(p) for p in self.projects], default=0)
        puid = f"P{n}"
        d = self.root / f"CS-{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')}-{n}"
        d.mkdir()
        self.projects[puid] = Project(
            _id=oid(),
            uid=puid,
            uid_num=n,
            title=title,
            project_dir=str(d),
            created_at=now(),
            owner_user_id=self.user.id,
            users_with_access=[self.user.id],
            size_last_updated=now(),
            created_at_version=self.opt.version,
        )
        self._dump_project(puid)
        return self.projects[puid]

    def create_workspace(self, puid, title, description=None):
        self.project(puid)
        n = 1 + max([uidkey(w) for p, w in self.workspaces if p == puid], default=0)
        w = Workspace(
            _id=oid(),
            uid=f"W{n}",
            project_uid=puid,
            workspace_type="base",
            title=title,
            created_at=now(),
            description=description,
            created_by_user_id=self.user.id,
            uid_num=n,
            project_uid_num=uidkey(puid),
        )
        self.workspaces[puid, w.uid] = w
        self._dump_project(puid)
        return w

    def create_job(self, puid, wuid, type, title="", description="", params=None):
        self.workspace(puid, wuid)
        if type not in registry.JOBS:
            raise Refused(422, f"Job type {type} is unknown")
        reg = registry.JOBS[type]
        n = 1 + max([uidkey(j) for p, j in self.jobs if p == puid], default=0)
        juid = f"J{n}"
        for k in params or {}:
            if k not in reg["params"]:
                raise Refused(422, f"Job type {type} has no parameter {k}")
        spec = JobSpec(
            type=type,
            params=Params(**{**{k: v[1] for k, v in reg["params"].items()}, **(params or {})}),
            ui_tile_width=1,
            ui_tile_height=1,
            resource_spec=ResourceSpec(),
        )
        for iname, (itype, mn, mx, slots) in reg["inputs"].items():
            spec.inputs.root[iname] = Input(
                type=itype,
                title=iname,
                slots=[InputSlot(**s) for s in slots],
                count_min=mn,
                count_max=mx,
            )
        for oname, (otype, pt, slots) in reg["outputs"].items():
            spec.outputs.root[oname] = self._blank_output(
                OutputSpec(
                    type=otype,
                    title=oname,
                    slots=[OutputSlot(name=s["name"], dtype=s["dtype"]) for s in slots],
                    passthrough=pt,
                )
            )
        job = Job(
            _id=oid(),
            uid=juid,
            uid_num=n,
            project_uid=puid,
            project_uid_num=uidkey(puid),
            workspace_uids=[wuid],
            job_dir=juid,
            title=title,
            description=description,
            created_by_user_id=self.user.id,
            spec=spec,
            status="building",
            status_num=0,
            build_errors=[],
            job_dir_size_last_updated=now(),
            created_at=now(),
            version_created=self.opt.version,
        )
        self.jobs[puid, juid] = job
        self.jdir(job).mkdir()
        return self.save_job(job)

    # ---------------------------------------------------------------- slots
    def _slots(self, slots, otype, cls):
        out, bad = [], []
        for s in slots:
            if isinstance(s, str):
                req = not s.startswith("?")
                s = s.lstrip("?")
                s = cls(name=s, dtype=s, required=req) if cls is InputSlot else cls(name=s, dtype=s)
            if not NAME.match(s.name):
                bad.append(f"slot name {s.name!r} is invalid")
            elif not registry.known_dtype(s.dtype, otype):
                hint = registry.NATIVE_SLOT_DTYPES.get(s.dtype)
                bad.append(
                    f"slot {s.name}: unknown result type {otype}.{s.dtype}"
                    + (f" (did you mean dtype {hint!r}?)" if hint else "")
                )
            out.append(s)
        names = [s.name for s in out]
        bad += [f"slot {n} given twice" for n in sorted({n for n in names if names.count(n) > 1})]
        if not out:
            bad.append("no slots given")
        if bad:
            raise Refused(422, {"slots": bad})
        return out

    def _blank_output(self, spec):
        return Output(
            type=spec.type,
            title=spec.title,
            description=spec.description,
            passthrough=spec.passthrough,
            slots=spec.slots,
            results=[OutputResult(name=s.name, dtype=s.dtype) for s in spec.slots],
        )

    def _editable(self, job, what):
        if job.spec.type != "snowflake":
            raise Refused(422, f"{job.project_uid}-{job.uid} is not an external job")
        if job.status not in {"building"} | ACTIVE:
            raise Refused(
                422, f"Cannot {what}: job {job.uid} has status {job.status}; clear the job first"
            )

    def add_input(self, puid, juid, name, spec: InputSpec):
        job = self.job(puid, juid)
        self._editable(job, "add input")
        if not NAME.match(name):
            raise Refused(422, f"Invalid input name {name!r}")
        if spec.count_min < 0 or (spec.count_max != "inf" and not 0 <= spec.count_max <= 500):
            raise Refused(422, "Invalid number of connections")
        old = job.spec.inputs.root.get(name)
        job.spec.inputs.root[name] = Input(
            type=spec.type,
            title=spec.title,
            description=spec.description,
            count_min=spec.count_min,
            count_max=spec.count_max,
            repeat_allowed=spec.repeat_allowed,
            slots=self._slots(spec.slots, spec.type, InputSlot),
            connections=[],
        )
        for c in old.connections if old and old.type == spec.type else []:
            self._attach(job, name, c.job_uid, c.output)
        return self.save_job(job)

    def add_output(self, puid, juid, name, spec: OutputSpec):
        job = self.job(puid, juid)
        self._editable(job, "add output")
        if not NAME.match(name):
            raise Refused(422, f"Invalid output name {name!r}")
        slots = self._slots(spec.slots, spec.type, OutputSlot)
        if spec.passthrough:
            src = job.spec.inputs.root.get(spec.passthrough)
            if src is None:
                raise Refused(
                    422, f"Passthrough input {spec.passthrough} does not exist on job {juid}"
                )
            if src.type != spec.type:
                raise Refused(
                    422,
                    f"Passthrough input {spec.passthrough} has type {src.type}, output has {spec.type}",
                )
        job.spec.outputs.root[name] = self._blank_output(spec.model_copy(update={"slots": slots}))
        self._passthrough_results(job, name)
        return self.save_job(job)

    def _passthrough_results(self, job, oname):
        out = job.spec.outputs.root[oname]
        out.results = [r for r in out.results if not r.passthrough]
        if not out.passthrough:
            return
        have = {s.name for s in out.slots}
        inp = job.spec.inputs.root.get(out.passthrough)
        common = None
        for c in inp.connections if inp else []:
            names = {r.result: r.dtype for r in c.results}
            common = names if common is None else {k: v for k, v in common.items() if k in names}
        for k, dt in (common or {}).items():
            if k not in have:
                out.results.append(OutputResult(name=k, dtype=dt, passthrough=True))

    # ---------------------------------------------------------------- connections
    def connect(self, puid, juid, iname, src_juid, src_output):
        job = self.job(puid, juid)
        if src_juid == juid:
            raise Refused(422, "Cannot connect a job to itself")
        ok = {"building"} | (ACTIVE if job.spec.type == "snowflake" else set())
        if job.status not in ok:
            raise Refused(422, f"Cannot connect: job {juid} has status {job.status}")
        inp = job.spec.inputs.root.get(iname)
        if inp is None:
            raise Refused(422, f"Job {juid} has no input {iname}")
        src = self.job(puid, src_juid)
        if src_output not in src.spec.outputs.root:
            raise Refused(422, f"Job {src_juid} has no output {src_output}")
        if src.spec.outputs.root[src_output].type != inp.type:
            raise Refused(
                422,
                f"Cannot connect {src.spec.outputs.root[src_output].type} output to {inp.type} input",
            )
        if inp.count_max not in ("inf", 0) and len(inp.connections) >= inp.count_max:
            raise Refused(422, f"Input {iname} accepts at most {inp.count_max} connection(s)")
        if not inp.repeat_allowed and any(
            c.job_uid == src_juid and c.output == src_output for c in inp.connections
        ):
            raise Refused(422, f"Input {iname} is already connected to {src_juid}.{src_output}")
        self._attach(job, iname, src_juid, src_output)
        job.parents = sorted(
            {c.job_uid for i in job.spec.inputs.root.values() for c in i.connections}, key=uidkey
        )
        if juid not in src.children:
            src.children.append(juid)
            self.save_job(src)
        for o in job.spec.outputs.root:
            self._passthrough_results(job, o)
        return self.save_job(job)

    def _attach(self, job, iname, src_juid, src_output):
        inp = job.spec.inputs.root[iname]
        results = self.job(job.project_uid, src_juid).spec.outputs.root[src_output].results
        left, conn = list(results), Connection(job_uid=src_juid, output=src_output, results=[])
        for slot in inp.slots:
            hit = next((r for r in left if r.name == slot.name and r.dtype == slot.dtype), None)
            if hit is None:
                same = [r for r in left if r.dtype == slot.dtype]
                hit = same[0] if len(same) == 1 and slot.required else None
            if hit:
                left.remove(hit)
                conn.results.append(
                    InputResult(
                        name=slot.name,
                        dtype=slot.dtype,
                        job_uid=src_juid,
                        output=src_output,
                        result=hit.name,
                    )
                )
        conn.results += [
            InputResult(
                name=None, dtype=r.dtype, job_uid=src_juid, output=src_output, result=r.name
            )
            for r in left
        ]
        inp.connections.append(conn)

    def disconnect(self, puid, juid, iname, idx=None):
        job = self.job(puid, juid)
        inp = job.spec.inputs.root.get(iname)
        if inp is None or (idx is not None and not 0 <= idx < len(inp.connections)):
            raise Refused(422, f"No such connection {iname}[{idx}]")
        inp.connections = (
            [] if idx is None else [c for i, c in enumerate(inp.connections) if i != idx]
        )
        return self.save_job(job)

    def build_errors(self, job):
        errs = []
        for iname, inp in job.spec.inputs.root.items():
            if len(inp.connections) < inp.count_min:
                errs.append(
                    JobBuildError(
                        type="too_short",
                        loc=["inputs", iname, "connections"],
                        input=None,
                        input_type="list",
                        ctx={"min_length": inp.count_min, "actual_length": len(inp.connections)},
                    )
                )
            for ci, c in enumerate(inp.connections):
                have = {r.name for r in c.results}
                for s in inp.slots:
                    if s.required and s.name not in have:
                        errs.append(
                            JobBuildError(
                                type="missing",
                                loc=["inputs", iname, "connections", ci, s.name],
                                input=None,
                                input_type="slot",
                                ctx={"slot": s.name, "dtype": s.dtype},
                            )
                        )
        return errs

    # ---------------------------------------------------------------- datasets
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

    # ---------------------------------------------------------------- life cycle
    def mark_running(self, puid, juid, status):
        job = self.job(puid, juid)
        if job.spec.type != "snowflake":
            raise Refused(422, f"{puid}-{juid} is not an external job")
        if job.status not in {"building"} | ACTIVE:
            raise Refused(422, f"Cannot start job {juid} with status {job.status}; clear it first")
        errs = self.build_errors(job)
        if errs:
            raise Refused(
                422, f"Cannot start job {juid}: inputs not ready: {[e.loc for e in errs]}"
            )
        job.status, job.version = status, self.opt.version
        job.started_at = job.started_at or now()
        setattr(job, status + "_at", now())
        return self.save_job(job)

    def mark_completed(self, puid, juid):
        job = self.job(puid, juid)
        if job.status not in {"killed", "failed"} | (
            ACTIVE if job.spec.type == "snowflake" else set()
        ):
            raise Refused(422, f"Cannot mark job {juid} with status {job.status} as completed")
        job.status, job.completed_at = "completed", now()
        job.completed_count += 1
        self._write_csgs(job)
        return self.save_job(job)

    def mark_failed(self, puid, juid, error=None):
        job = self.job(puid, juid)
        ok = (
            ACTIVE
            | {"queued", "launched", "started"}
            | ({"killed"} if self.opt.mark_failed_after_kill == "allow" else set())
        )
        if job.status not in ok:
            raise Refused(422, f"Cannot mark job {juid} with status {job.status} as failed")
        job.status, job.failed_at = "failed", now()
        if error:
            job.has_error = True
            job.errors_run = ([*job.errors_run, RunError(message=error)])[-10:]
            self.add_text(puid, juid, error, "error")
        return self.save_job(job)

    def kill(self, puid, juid):
        job = self.job(puid, juid)
        if job.status in {"building", "completed", "killed", "failed"}:
            raise Refused(422, f"Cannot kill job {juid} with status {job.status}")
        job.status, job.killed_at = "killed", now()
        return self.save_job(job)

    def clear(self, puid, juid):
        job = self.job(puid, juid)
        if job.status in {"queued", "launched", "started"} | ACTIVE:
            raise Refused(422, f"Cannot clear job {juid} with status {job.status}; kill it first")
        for p in self.jdir(job).iterdir():
            if p.name != "job.json":
                shutil.rmtree(p) if p.is_dir() and not p.is_symlink() else p.unlink()
        for out in job.spec.outputs.root.values():
            out.num_items, out.image = 0, None
            for r in out.results:
                r.versions, r.metafiles, r.num_items = [], [], []
        job.status, job.errors_run, job.has_error, job.has_warning, job.ui_tile_images = (
            "building",
            [],
            False,
            False,
            [],
        )
        for k in (
            "started",
            "running",
            "waiting",
            "completed",
            "killed",
            "failed",
            "queued",
            "launched",
        ):
            setattr(job, k + "_at", None)
        self.events.pop((puid, juid), None)
        self._dump_events()
        return self.save_job(job)

    def _write_csgs(self, job):
        for oname, out in job.spec.outputs.root.items():
            lines = [
                f"created: {now():%Y-%m-%d %H:%M:%S}",
                "group:",
                f"  description: '{out.description}'",
                f"  name: {oname}",
                f"  title: '{out.title}'",
                f"  type: {out.type}",
                "results:",
            ]
            any_ = False
            for r in out.results:
                if r.metafiles:
                    any_ = True
                    lines += [
                        f"  {r.name}:",
                        f"    metafile: '>{Path(r.metafiles[-1]).name}'",
                        f"    num_items: {r.num_items[-1]}",
                        f"    type: {out.type}.{r.dtype}",
                    ]
            lines.append(f"version: {self.opt.version}")
            if any_:
                (self.jdir(job) / f"{job.uid}_{oname}.csg").write_text("\n".join(lines) + "\n")

    # ---------------------------------------------------------------- native jobs
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
            self._write_csgs(job)
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

    # ---------------------------------------------------------------- events and assets
    def _event(self, cls, puid, juid, **kw):
        self.job(puid, juid)
        e = cls(_id=oid(), project_uid=puid, job_uid=juid, created_at=now(), updated_at=now(), **kw)
        self.events.setdefault((puid, juid), []).append(e)
        self._dump_events()
        return e

    def add_text(self, puid, juid, text, type):
        job = self.job(puid, juid)
        job.has_warning |= type == "warning"
        job.has_error |= type == "error"
        return self._event(TextEvent, puid, juid, text=text, type=type)

    def update_text(self, puid, juid, eid, text, type):
        for e in self.events.get((puid, juid), []):
            if e.id == eid and isinstance(e, TextEvent):
                e.text = e.text if text is None else text
                e.type = type or e.type
                e.updated_at = now()
                self._dump_events()
                return e
        raise Refused(404, f"Event {eid} not found on {puid}-{juid}")

    def add_image(self, puid, juid, images, text, flags):
        if not images:
            raise Refused(422, "No images given")
        for a in images:
            self.asset(a.fileid)
        return self._event(
            ImageEvent, puid, juid, type="image", text=text, imgfiles=images, flags=flags
        )

    def add_checkpoint(self, puid, juid, meta):
        return self._event(CheckpointEvent, puid, juid, type="checkpoint", meta=meta)

    MAGIC = {
        "png": b"\x89PNG\r\n\x1a\n",
        "pdf": b"%PDF",
        "jpg": b"\xff\xd8",
        "jpeg": b"\xff\xd8",
        "gif": b"GIF8",
    }

    def upload_asset(self, puid, juid, data, filename, format):
        self.job(puid, juid)
        if format is None and filename:
            format = filename.rsplit(".", 1)[-1].lower()
        if format not in ASSET_CONTENT_TYPES:
            raise Refused(422, f"Unknown asset format {format}")
        if not data:
            raise Refused(422, "Asset is empty")
        if format in self.MAGIC and not data.startswith(self.MAGIC[format]):
            raise Refused(422, f"Asset data is not {format}")
        fid = oid()
        a = GridFSFile(
            _id=fid,
            filename=filename or f"{fid}.{format}",
            contentType=ASSET_CONTENT_TYPES[format],
            uploadDate=now(),
            length=len(data),
            chunkSize=2096128,
            project_uid=puid,
            job_uid=juid,
        )
        (self.db / "gridfs" / fid).write_bytes(data)
        (self.db / "gridfs" / f"{fid}.json").write_text(a.model_dump_json(by_alias=True))
        self.assets[fid] = a
        return GridFSAsset(fileid=fid, filename=a.filename, filetype=a.contentType)

    def asset(self, fid):
        if fid not in self.assets:
            raise Refused(404, f"Asset {fid} not found")
        return self.assets[fid]

    def set_output_image(self, puid, juid, oname, asset):
        job = self.job(puid, juid)
        if oname not in job.spec.outputs.root:
            raise Refused(422, f"Job {juid} has no output {oname}")
        self.asset(asset.fileid)
        job.spec.outputs.root[oname].image = asset.fileid
        return self.save_job(job)

    def set_tile_image(self, puid, juid, asset):
        job = self.job(puid, juid)
        self.asset(asset.fileid)
        job.ui_tile_images = [
            UiTileImage(name="tile0", fileid=asset.fileid, num_rows=1, num_cols=1)
        ]
        return self.save_job(job)

    # ---------------------------------------------------------------- files
    def path(self, puid, rel, inside=True):
        d = self.pdir(puid)
        rel = str(rel)
        shown = self.shown_dir(d)
        if rel.startswith(shown):
            rel = rel[len(shown) :].lstrip("/")
        p = Path(os.path.normpath(d / rel))
        if inside and p != d and d not in p.parents:
            raise Refused(422, f"Path {rel} is outside of the project directory")
        return p

    def upload_file(self, puid, rel, data, overwrite):
        p = self.path(puid, rel)
        if not rel or p.is_dir():
            raise Refused(422, f"Path {rel!r} is a directory")
        if p.exists() and not overwrite:
            raise Refused(422, f"File {rel} already exists; specify overwrite=True")
        if not p.parent.is_dir():
            raise Refused(422, f"Directory of {rel} does not exist")
        p.write_bytes(data)
        return self.shown_dir(p)

    def ls(self, puid, rel, recursive):
        p, d = self.path(puid, rel), self.pdir(puid)
        if not p.is_dir():
            raise Refused(404, f"{rel} is not a directory")
        it = p.rglob("*") if recursive else p.iterdir()
        return sorted(str(x.relative_to(d)) for x in it)

    def mkdir(self, puid, rel, parents, exist_ok):
        p = self.path(puid, rel)
        try:
            p.mkdir(parents=parents, exist_ok=exist_ok)
        except OSError as e:
            raise Refused(422, f"mkdir {rel}: {e.strerror}")
        return self.shown_dir(p)

    def cp(self, puid, source, rel):
        s, t = self.path(puid, source, inside=False), self.path(puid, rel or Path(source).name)
        if not s.exists():
            raise Refused(404, f"{source} does not exist")
        if t.exists() and not t.is_dir():
            raise Refused(422, f"{rel} already exists")
        (shutil.copytree if s.is_dir() else shutil.copy2)(s, t)
        return self.shown_dir(t)

    def symlink(self, puid, source, rel):
        s, t = self.path(puid, source, inside=False), self.path(puid, rel or Path(source).name)
        if not s.exists():
            raise Refused(404, f"{source} does not exist")
        if t.exists() or t.is_symlink():
            raise Refused(422, f"{rel} already exists")
        t.symlink_to(s)
        return self.shown_dir(t)
