"""HTTP face of the emulator. Request bodies and responses are the client's own pydantic models."""

import hashlib
import io
import secrets
import time
from typing import Any, Literal, Union

from cryosparc.dataset import Dataset
from cryosparc.models.api_response import Hello
from cryosparc.models.asset import GridFSAsset, GridFSFile
from cryosparc.models.auth import Token
from cryosparc.models.event import CheckpointEvent, Event, ImageEvent, InteractiveEvent, TextEvent
from cryosparc.models.external import ExternalOutputSpec
from cryosparc.models.job import Job, JobStatus
from cryosparc.models.job_register import JobRegister, JobRegisterJobSpec, JobRegisterParamSpec
from cryosparc.models.job_spec import (
    Category,
    InputSlot,
    InputSpec,
    InputSpecs,
    OutputResult,
    OutputSlot,
    OutputSpec,
    OutputSpecs,
)
from cryosparc.models.project import Project
from cryosparc.models.scheduler_lane import SchedulerLane
from cryosparc.models.scheduler_target import SchedulerTarget
from cryosparc.models.user import User
from cryosparc.models.workspace import Workspace
from fastapi import APIRouter, Body, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import OAuth2PasswordRequestForm

from . import registry
from .store import Refused, Store, oid

CS = "application/x-cryosparc-dataset"
RAW = "application/octet-stream"
TextLevel = Literal["text", "warning", "error"]
Slots = Union[Literal["default", "passthrough", "all"], list[str]]


def _bin(title, mime):
    return {"content": {mime: {"schema": {"title": title, "type": "string", "format": "binary"}}}}


def body_stream(title, mime):
    return {"requestBody": {**_bin(title, mime), "required": True}}


def out_stream(title, mime):
    return {200: {"description": f"{title} stream", **_bin(title, mime)}}


class Stream(Response):
    media_type = None


def build_app(store: Store) -> FastAPI:
    tokens = {}

    def auth(request: Request):
        head = request.headers.get("authorization", "")
        if not head.startswith("Bearer ") or tokens.get(head[7:], 0) < time.time():
            raise HTTPException(401, "Not authenticated")

    app = FastAPI(
        title="CryoSPARC API (emulator)",
        version=store.opt.version,
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    r = APIRouter(dependencies=[Depends(auth)])

    @app.exception_handler(Refused)
    def refused(_, exc):
        return JSONResponse({"detail": exc.detail}, status_code=exc.code)

    @app.middleware("http")
    async def log_request(request: Request, call_next):
        response = await call_next(request)
        store.requests.append((request.method, request.url.path, response.status_code))
        return response

    store.requests = []

    # --- top level
    @app.get("/", summary="read_root", response_model=Hello)
    def read_root():
        return Hello(version=store.opt.version, service="api")

    @app.get("/health", summary="health", response_model=str)
    def health():
        return "OK"

    @app.post("/login", summary="login", response_model=Token)
    def login(form: OAuth2PasswordRequestForm = Depends(), expires_in: float = Query(1209600)):
        if (
            form.username != store.opt.email
            or form.password != hashlib.sha256(store.opt.password.encode()).hexdigest()
        ):
            raise HTTPException(401, "Incorrect email or password")
        token = secrets.token_hex(16)
        tokens[token] = time.time() + expires_in
        return Token(access_token=token, token_type="bearer")

    def register():
        specs = []
        for t, j in registry.JOBS.items():
            specs.append(
                JobRegisterJobSpec(
                    type=t,
                    title=j["title"],
                    shorttitle=j["title"],
                    description="",
                    stability="stable",
                    category=j["category"],
                    hidden=t == "snowflake",
                    inputs=InputSpecs(
                        {
                            k: InputSpec(
                                type=a,
                                title=k,
                                count_min=mn,
                                count_max=mx,
                                slots=[InputSlot(**s) for s in sl],
                            )
                            for k, (a, mn, mx, sl) in j["inputs"].items()
                        }
                    ),
                    outputs=OutputSpecs(
                        {
                            k: OutputSpec(
                                type=a,
                                title=k,
                                passthrough=pt,
                                slots=[OutputSlot(name=s["name"], dtype=s["dtype"]) for s in sl],
                            )
                            for k, (a, pt, sl) in j["outputs"].items()
                        }
                    ),
                    params={
                        k: JobRegisterParamSpec(type=a, title=k, default=d)
                        for k, (a, d) in j["params"].items()
                    },
                )
            )
        return JobRegister(
            _id=oid(), specs=specs, categories={s.category: s.category for s in specs}
        )

    @r.get("/job_register", summary="job_register", response_model=JobRegister)
    def job_register():
        return register()

    @r.get("/config/version", summary="config.get_version", response_model=str)
    def get_version():
        return store.opt.version

    @r.get("/users/me", summary="users.me", response_model=User)
    def me():
        return store.user

    @r.get("/resources/lanes", summary="resources.find_lanes", response_model=list[SchedulerLane])
    def find_lanes():
        return []

    @r.get(
        "/resources/targets", summary="resources.find_targets", response_model=list[SchedulerTarget]
    )
    def find_targets(lane: str | None = None):
        return []

    # --- projects
    def page(items, order, after, limit):
        items = items if order == 1 else items[::-1]
        if after:
            ids = [i.id for i in items]
            items = items[ids.index(after) + 1 :] if after in ids else []
        return items[:limit]

    @r.get("/projects", summary="projects.find", response_model=list[Project])
    def projects_find(
        order: int = 1,
        after: str | None = None,
        limit: int = 100,
        uid: list[str] | None = Query(None),
        project_dir: str | None = None,
        owner_user_id: str | None = None,
        users_with_access: list[str] | None = Query(None),
        deleted: bool | None = False,
        archived: bool | None = None,
        detached: bool | None = None,
    ):
        return page(
            [p for p in store.projects.values() if not uid or p.uid in uid], order, after, limit
        )

    @r.get("/projects/{project_uid}", summary="projects.find_one", response_model=Project)
    def projects_find_one(project_uid: str):
        return store.project(project_uid)

    @r.get(
        "/projects/{project_uid}/:directory", summary="projects.get_directory", response_model=str
    )
    def projects_get_directory(project_uid: str):
        return store.shown_dir(store.pdir(project_uid))

    @r.get(
        "/projects/{project_uid}/:register",
        summary="projects.get_job_register",
        response_model=JobRegister,
    )
    def projects_register(project_uid: str):
        store.project(project_uid)
        return register()

    @r.post("/projects/{project_uid}/files:mkdir", summary="projects.mkdir", response_model=str)
    def mkdir(project_uid: str, parents: bool = False, exist_ok: bool = False, path: str = ""):
        return store.mkdir(project_uid, path, parents, exist_ok)

    @r.post("/projects/{project_uid}/files:cp", summary="projects.cp", response_model=str)
    def cp(project_uid: str, source: str, path: str = ""):
        return store.cp(project_uid, source, path)

    @r.post("/projects/{project_uid}/files:symlink", summary="projects.symlink", response_model=str)
    def symlink(project_uid: str, source: str, path: str = ""):
        return store.symlink(project_uid, source, path)

    @r.post(
        "/projects/{project_uid}/files",
        summary="projects.upload_file",
        response_model=str,
        openapi_extra=body_stream("Stream", RAW),
    )
    async def upload_file(
        project_uid: str, request: Request, overwrite: bool = False, path: str = ""
    ):
        return store.upload_file(project_uid, path, await request.body(), overwrite)

    @r.get(
        "/projects/{project_uid}/files:download",
        summary="projects.download_file",
        response_class=Stream,
        responses=out_stream("Stream", RAW),
    )
    def download_file(project_uid: str, path: str = ""):
        p = store.path(project_uid, path)
        if not p.is_file():
            raise Refused(404, f"{path} is not a file")
        data = p.read_bytes()
        return Response(data, media_type=CS if data.startswith(b"\x95CSDAT") else RAW)

    @r.get("/projects/{project_uid}/files", summary="projects.ls", response_model=list[str])
    def ls(project_uid: str, recursive: bool = False, path: str = ""):
        return store.ls(project_uid, path, recursive)

    # --- workspaces
    @r.get("/workspaces", summary="workspaces.find", response_model=list[Workspace])
    def workspaces_find(
        order: int = 1,
        after: str | None = None,
        limit: int = 100,
        uid: list[str] | None = Query(None),
        project_uid: list[str] | None = Query(None),
        created_at: list[str] | None = Query(None),
        updated_at: list[str] | None = Query(None),
        deleted: bool | None = False,
    ):
        ws = [
            w
            for (p, _), w in store.workspaces.items()
            if (not project_uid or p in project_uid) and (not uid or w.uid in uid)
        ]
        return page(ws, order, after, limit)

    @r.get(
        "/projects/{project_uid}/workspaces/{workspace_uid}",
        summary="workspaces.find_one",
        response_model=Workspace,
    )
    def workspaces_find_one(project_uid: str, workspace_uid: str):
        return store.workspace(project_uid, workspace_uid)

    @r.post(
        "/projects/{project_uid}/workspaces", summary="workspaces.create", response_model=Workspace
    )
    def workspaces_create(
        project_uid: str,
        title: str,
        description: str | None = None,
        created_by_job_uid: str | None = None,
    ):
        return store.create_workspace(project_uid, title, description)

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

    J = "/projects/{project_uid}/jobs/{job_uid}"

    @r.get(J, summary="jobs.find_one", response_model=Job)
    def jobs_find_one(project_uid: str, job_uid: str):
        return store.job(project_uid, job_uid)

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

    # --- jobs: data
    def slots_arg(slots):
        if len(slots) == 1 and slots[0] in ("default", "passthrough", "all"):
            return slots[0]
        return slots

    def send(dset):
        return Response(b"".join(dset.stream(compression="lz4")), media_type=CS)

    @r.get(
        J + "/inputs/{input_name}/dataset",
        summary="jobs.load_input",
        response_class=Stream,
        responses=out_stream("Dataset", CS),
    )
    def load_input(
        project_uid: str,
        job_uid: str,
        input_name: str,
        force_join: str = "auto",
        slots: list[str] = Query(["default"]),
    ):
        with store.lock:
            return send(store.load_input(project_uid, job_uid, input_name, slots_arg(slots)))

    @r.get(
        J + "/outputs/{output_name}/dataset",
        summary="jobs.load_output",
        response_class=Stream,
        responses=out_stream("Dataset", CS),
    )
    def load_output(
        project_uid: str,
        job_uid: str,
        output_name: str,
        version: str = "F",
        slots: list[str] = Query(["default"]),
    ):
        with store.lock:
            return send(
                store.load_output(
                    project_uid,
                    job_uid,
                    output_name,
                    slots_arg(slots),
                    "F" if version == "F" else int(version),
                )
            )

    @r.post(
        J + "/outputs/{output_name}/dataset",
        summary="jobs.save_output",
        response_model=Job,
        openapi_extra=body_stream("Dataset", CS),
    )
    async def save_output(
        project_uid: str,
        job_uid: str,
        output_name: str,
        request: Request,
        filename: str | None = None,
        version: int = 0,
    ):
        if request.headers.get("content-type") != CS:
            raise HTTPException(415, f"Expected {CS}")
        try:
            dset = Dataset.load(io.BytesIO(await request.body()))
        except Exception as e:
            raise Refused(422, f"Cannot read dataset: {e}")
        with store.lock:
            return store.save_output(project_uid, job_uid, output_name, dset, version)

    @r.post(J + "/outputs/{output_name}/image", summary="jobs.set_output_image", response_model=Job)
    def set_output_image(project_uid: str, job_uid: str, output_name: str, body: GridFSAsset):
        return store.set_output_image(project_uid, job_uid, output_name, body)

    @r.post(J + "/:tile", summary="jobs.set_tile_image", response_model=Job)
    def set_tile_image(project_uid: str, job_uid: str, body: GridFSAsset):
        return store.set_tile_image(project_uid, job_uid, body)

    # --- jobs: status
    @r.post(J + "/:run", summary="jobs.mark_running", response_model=Job)
    def mark_running(
        project_uid: str, job_uid: str, status: Literal["running", "waiting"] = "running"
    ):
        with store.lock:
            return store.mark_running(project_uid, job_uid, status)

    @r.post(J + "/:complete", summary="jobs.mark_completed", response_model=Job)
    def mark_completed(project_uid: str, job_uid: str):
        with store.lock:
            return store.mark_completed(project_uid, job_uid)

    @r.post(J + "/:fail", summary="jobs.mark_failed", response_model=Job)
    def mark_failed(project_uid: str, job_uid: str, error: str | None = None):
        with store.lock:
            return store.mark_failed(project_uid, job_uid, error)

    @r.post(J + "/:kill", summary="jobs.kill", response_model=Job)
    def kill(project_uid: str, job_uid: str):
        with store.lock:
            return store.kill(project_uid, job_uid)

    @r.post(J + "/:clear", summary="jobs.clear", response_model=Job)
    def clear(project_uid: str, job_uid: str):
        with store.lock:
            return store.clear(project_uid, job_uid)

    @r.post(J + "/:enqueue", summary="jobs.enqueue", response_model=Job)
    def enqueue(
        project_uid: str,
        job_uid: str,
        lane: str | None = None,
        hostname: str | None = None,
        gpus: list[int] = Query([]),
        no_check_inputs_ready: bool = False,
    ):
        with store.lock:
            return store.enqueue(project_uid, job_uid)

    @r.post(J + "/:interact", summary="jobs.interactive_post", response_model=None)
    def interactive_post(
        project_uid: str,
        job_uid: str,
        endpoint: str,
        body: dict[str, Any] = Body(),
        timeout: int = 10,
    ) -> Any:
        with store.lock:
            return store.interact(project_uid, job_uid, endpoint, body)

    # --- jobs: events
    @r.post(J + "/events", summary="jobs.add_event_log", response_model=TextEvent)
    def add_event_log(project_uid: str, job_uid: str, text: str = Body(), type: TextLevel = "text"):
        with store.lock:
            return store.add_text(project_uid, job_uid, text, type)

    @r.get(
        J + "/events",
        summary="jobs.get_event_logs",
        response_model=list[TextEvent | ImageEvent | InteractiveEvent | CheckpointEvent | Event],
    )
    def get_event_logs(project_uid: str, job_uid: str, checkpoint: int | None = None):
        store.job(project_uid, job_uid)
        return store.events.get((project_uid, job_uid), [])

    @r.post(J + "/events:image", summary="jobs.add_image_log", response_model=ImageEvent)
    def add_image_log(
        project_uid: str,
        job_uid: str,
        text: str,
        images: list[GridFSAsset] = Body(),
        flags: list[str] = Query(["plots"]),
    ):
        with store.lock:
            return store.add_image(project_uid, job_uid, images, text, flags)

    @r.post(J + "/events:checkpoint", summary="jobs.add_checkpoint", response_model=CheckpointEvent)
    def add_checkpoint(project_uid: str, job_uid: str, meta: dict[str, Any] = Body()):
        with store.lock:
            return store.add_checkpoint(project_uid, job_uid, meta)

    @r.patch(J + "/events/{event_id}", summary="jobs.update_event_log", response_model=TextEvent)
    def update_event_log(
        project_uid: str,
        job_uid: str,
        event_id: str,
        text: str | None = Body(None),
        type: TextLevel | None = None,
    ):
        with store.lock:
            return store.update_text(project_uid, job_uid, event_id, text, type)

    # --- assets
    @r.get("/assets", summary="assets.find", response_model=list[GridFSFile])
    def assets_find(project_uid: str | None = None, job_uid: str | None = None):
        return [
            a
            for a in store.assets.values()
            if (not project_uid or a.project_uid == project_uid)
            and (not job_uid or a.job_uid == job_uid)
        ]

    @r.post(
        "/assets/{project_uid}/{job_uid}",
        summary="assets.upload",
        response_model=GridFSAsset,
        openapi_extra=body_stream("Stream", RAW),
    )
    async def assets_upload(
        project_uid: str,
        job_uid: str,
        request: Request,
        filename: str | None = None,
        format: str | None = None,
    ):
        data = await request.body()
        with store.lock:
            return store.upload_asset(project_uid, job_uid, data, filename, format)

    @r.get(
        "/assets/{id}",
        summary="assets.download",
        response_class=Stream,
        responses=out_stream("Stream", RAW),
    )
    def assets_download(id: str):
        a = store.asset(id)
        return Response((store.db / "gridfs" / id).read_bytes(), media_type=a.contentType)

    @r.get("/assets/{id}/info", summary="assets.find_one", response_model=GridFSFile)
    def assets_find_one(id: str):
        return store.asset(id)

    app.include_router(r)
    outer = FastAPI(openapi_url=None)
    outer.mount("/api/cmd", app)
    outer.state.api, outer.state.store = app, store
    return outer
