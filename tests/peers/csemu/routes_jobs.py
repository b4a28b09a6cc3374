"""Routes that find, make and wire jobs."""

from typing import Any

from cryosparc.models.external import ExternalOutputSpec
from cryosparc.models.job import Job, JobStatus
from cryosparc.models.job_spec import (
    Category,
    InputSlot,
    InputSpec,
    OutputResult,
    OutputSpec,
)
from fastapi import APIRouter, Body, Query

from . import registry
from .http import J, page
from .store import Refused, Store


def add_jobs(r: APIRouter, store: Store) -> None:
    # --- jobs: find and build
    def matching(project_uid, workspace_uid, uid, type, status, category):
        return [
            j
            for j in store.jobs.values()
            if (not project_uid or j.project_uid in project_uid)
            and (not workspace_uid or set(j.workspace_uids) & set(workspace_uid))
            and (not uid or j.uid in uid)
            and (not type or j.spec.type in type)
            and (not status or j.status in status)
            and (not category or registry.JOBS[j.spec.type]["category"] in category)
        ]

    @r.get("/jobs", summary="jobs.find", response_model=list[Job])
    def jobs_find(
        order: int = 1,
        after: str | None = None,
        limit: int = 100,
        project_uid: list[str] | None = Query(None),
        workspace_uid: list[str] | None = Query(None),
        uid: list[str] | None = Query(None),
        type: list[str] | None = Query(None),
        status: list[JobStatus] | None = Query(None),
        category: list[Category] | None = Query(None),
        created_at: list[str] | None = Query(None),
        updated_at: list[str] | None = Query(None),
        queued_at: list[str] | None = Query(None),
        started_at: list[str] | None = Query(None),
        waiting_at: list[str] | None = Query(None),
        completed_at: list[str] | None = Query(None),
        killed_at: list[str] | None = Query(None),
        failed_at: list[str] | None = Query(None),
        exported_at: list[str] | None = Query(None),
        deleted: bool | None = False,
    ):
        if any(
            (
                created_at,
                updated_at,
                queued_at,
                started_at,
                waiting_at,
                completed_at,
                killed_at,
                failed_at,
                exported_at,
            )
        ):
            raise Refused(501, "The emulator does not filter jobs by time")
        js = sorted(
            matching(project_uid, workspace_uid, uid, type, status, category),
            key=lambda j: (j.project_uid_num, j.uid_num),
        )
        return page(js, order, after, limit)

    @r.get(J, summary="jobs.find_one", response_model=Job)
    def jobs_find_one(project_uid: str, job_uid: str):
        return store.job(project_uid, job_uid)

    @r.delete(J, summary="jobs.delete", response_model=None)
    def jobs_delete(project_uid: str, job_uid: str) -> None:
        with store.lock:
            store.delete(project_uid, job_uid)

    @r.get(J + "/:status", summary="jobs.get_status", response_model=JobStatus)
    def get_status(project_uid: str, job_uid: str):
        return store.job(project_uid, job_uid).status

    @r.get(J + "/:directory", summary="jobs.get_directory", response_model=str)
    def jobs_get_directory(project_uid: str, job_uid: str):
        return store.shown_dir(store.jdir(store.job(project_uid, job_uid)))

    @r.post(
        "/projects/{project_uid}/workspaces/{workspace_uid}/jobs",
        summary="jobs.create",
        response_model=Job,
    )
    def jobs_create(
        project_uid: str,
        workspace_uid: str,
        type: str,
        params: dict[str, bool | int | float | str | None] = Body({}),
        title: str = "",
        description: str = "",
        created_by_job_uid: str | None = None,
        enable_bench: bool = False,
    ):
        return store.create_job(project_uid, workspace_uid, type, title, description, params)

    @r.post(
        "/projects/{project_uid}/workspaces/{workspace_uid}/external",
        summary="jobs.create_external_result",
        response_model=Job,
    )
    def create_external_result(project_uid: str, workspace_uid: str, body: ExternalOutputSpec):
        with store.lock:
            job = store.create_job(
                project_uid, workspace_uid, "snowflake", body.spec.title, body.spec.description
            )
            spec = body.spec
            try:
                if body.connection:
                    c = body.connection
                    iname = spec.passthrough or c.output
                    src = store.job(project_uid, c.job_uid).spec.outputs.root.get(c.output)
                    if src is None:
                        raise Refused(422, f"Job {c.job_uid} has no output {c.output}")
                    if src.type != spec.type:
                        raise Refused(422, f"Connected output has type {src.type}, not {spec.type}")
                    store.add_input(
                        project_uid,
                        job.uid,
                        iname,
                        InputSpec(
                            type=src.type,
                            title=iname,
                            count_min=1,
                            slots=[
                                InputSlot(name=s.name, dtype=s.dtype, required=False)
                                for s in src.results
                            ],
                        ),
                    )
                    store.connect(project_uid, job.uid, iname, c.job_uid, c.output)
                    spec = spec.model_copy(update={"passthrough": iname})
                return store.add_output(project_uid, job.uid, body.name, spec)
            except Refused:
                store.jobs.pop((project_uid, job.uid), None)
                raise

    @r.put(J + "/params/{param}", summary="jobs.set_param", response_model=Job)
    def set_param(project_uid: str, job_uid: str, param: str, value: Any = Body()):
        job = store.job(project_uid, job_uid)
        if job.status != "building" or param not in registry.JOBS[job.spec.type]["params"]:
            raise Refused(
                422,
                f"Job {job_uid} ({job.spec.type}, {job.status}) does not take parameter {param}",
            )
        setattr(job.spec.params, param, value)
        return store.save_job(job)

    @r.post(J + "/:title", summary="jobs.set_title", response_model=Job)
    def set_title(project_uid: str, job_uid: str, title: str):
        job = store.job(project_uid, job_uid)
        job.title = title
        return store.save_job(job)

    @r.post(J + "/:description", summary="jobs.set_description", response_model=Job)
    def set_description(project_uid: str, job_uid: str, description: str = Body()):
        job = store.job(project_uid, job_uid)
        job.description = description
        return store.save_job(job)

    @r.post(
        J + "/inputs/{input_name}/external", summary="jobs.add_external_input", response_model=Job
    )
    def add_external_input(project_uid: str, job_uid: str, input_name: str, body: InputSpec):
        with store.lock:
            return store.add_input(project_uid, job_uid, input_name, body)

    @r.post(
        J + "/outputs/{output_name}/external",
        summary="jobs.add_external_output",
        response_model=Job,
    )
    def add_external_output(project_uid: str, job_uid: str, output_name: str, body: OutputSpec):
        with store.lock:
            return store.add_output(project_uid, job_uid, output_name, body)

    @r.post(J + "/inputs/{input_name}/connections", summary="jobs.connect", response_model=Job)
    def connect(
        project_uid: str,
        job_uid: str,
        input_name: str,
        source_output_name: str,
        source_job_uid: str,
    ):
        with store.lock:
            return store.connect(
                project_uid, job_uid, input_name, source_job_uid, source_output_name
            )

    @r.delete(
        J + "/inputs/{input_name}/connections", summary="jobs.disconnect_all", response_model=Job
    )
    def disconnect_all(project_uid: str, job_uid: str, input_name: str):
        return store.disconnect(project_uid, job_uid, input_name)

    @r.delete(
        J + "/inputs/{input_name}/connections/{connection_index}",
        summary="jobs.disconnect",
        response_model=Job,
    )
    def disconnect(project_uid: str, job_uid: str, input_name: str, connection_index: int):
        return store.disconnect(project_uid, job_uid, input_name, connection_index)

    @r.get(
        J + "/outputs/{output_name}/results/{result_name}",
        summary="jobs.find_output_result",
        response_model=OutputResult,
    )
    def find_output_result(project_uid: str, job_uid: str, output_name: str, result_name: str):
        out = store.job(project_uid, job_uid).spec.outputs.root.get(output_name)
        res = next((x for x in out.results if x.name == result_name), None) if out else None
        if res is None:
            raise Refused(404, f"No result {job_uid}.{output_name}.{result_name}")
        return res

    @r.post(
        J + "/outputs/{output_name}/fields",
        summary="jobs.get_output_fields",
        response_model=list[tuple[str, str]],
    )
    def get_output_fields(
        project_uid: str, job_uid: str, output_name: str, dtype_params: dict[str, Any] = Body({})
    ):
        return store.output_fields(project_uid, job_uid, output_name)
