"""Inputs, outputs, slots and connections of jobs."""

from cryosparc.models.job_spec import (
    Connection,
    Input,
    InputResult,
    InputSlot,
    InputSpec,
    JobBuildError,
    Output,
    OutputResult,
    OutputSlot,
    OutputSpec,
)

from . import registry
from .base import ACTIVE, NAME, Refused, uidkey


class Wiring:
    """Part of the store."""

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
