"""Routes of statuses, events and assets."""

from typing import Any, Literal

from cryosparc.models.asset import GridFSAsset, GridFSFile
from cryosparc.models.event import CheckpointEvent, Event, ImageEvent, InteractiveEvent, TextEvent
from cryosparc.models.job import Job
from fastapi import APIRouter, Body, Query, Request, Response

from .http import RAW, J, Stream, TextLevel, body_stream, out_stream
from .store import Store


def add_status(r: APIRouter, store: Store) -> None:
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
