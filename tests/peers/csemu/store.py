"""State of the emulated instance: projects, workspaces, jobs, datasets, events, assets."""

import json
import re
import threading
from pathlib import Path

from cryosparc.models.asset import GridFSFile
from cryosparc.models.event import CheckpointEvent, ImageEvent, TextEvent
from cryosparc.models.job import Job
from cryosparc.models.job_spec import (
    Input,
    InputSlot,
    JobSpec,
    OutputSlot,
    OutputSpec,
    Params,
)
from cryosparc.models.project import Project
from cryosparc.models.resource import ResourceSpec
from cryosparc.models.user import Email, User
from cryosparc.models.workspace import Workspace

from . import registry
from .base import STATUS_NUM, Options, Refused, now, oid, uidkey
from .datasets import Datasets
from .events import Events
from .files import Files
from .life_cycle import LifeCycle
from .native import NativeJobs
from .wiring import Wiring

__all__ = ["Options", "Refused", "Store", "now", "oid"]


class Store(Wiring, Datasets, LifeCycle, NativeJobs, Events, Files):
    def __init__(self, root, options=None):
        self.root = Path(root).resolve()
        self.db = self.root / "_db"
        (self.db / "gridfs").mkdir(parents=True, exist_ok=True)
        self.opt = options or Options()
        self.lock = threading.RLock()
        self.projects, self.workspaces, self.jobs = {}, {}, {}
        self.tokens = {}  # of logins, with the time when each ends; the newest is last
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
