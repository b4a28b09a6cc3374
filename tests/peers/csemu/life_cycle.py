"""Statuses of jobs."""

import shutil
from pathlib import Path

from cryosparc.models.job import RunError

from .base import ACTIVE, Refused, now


class LifeCycle:
    """Part of the store."""

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
        self.write_group_files(job)
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

    def delete(self, puid, juid):
        job = self.job(puid, juid)
        if juid in self.opt.protected:
            raise Refused(403, f"Job {juid} is protected")
        if job.children:
            raise Refused(422, f"Job {juid} has children: {', '.join(job.children)}")
        shutil.rmtree(self.jdir(job))
        self.events.pop((puid, juid), None)
        self._dump_events()
        del self.jobs[puid, juid]

    def write_group_files(self, job):
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
