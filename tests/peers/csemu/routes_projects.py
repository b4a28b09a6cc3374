"""Routes of projects, their files, and workspaces."""

from cryosparc.models.job_register import JobRegister
from cryosparc.models.project import Project
from cryosparc.models.workspace import Workspace
from fastapi import APIRouter, Query, Request, Response

from .http import CS, RAW, Stream, body_stream, out_stream, page, register
from .store import Refused, Store


def add_projects(r: APIRouter, store: Store) -> None:
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
