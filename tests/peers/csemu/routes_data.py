"""Routes of datasets in and out."""

import io

from cryosparc.dataset import Dataset
from cryosparc.models.asset import GridFSAsset
from cryosparc.models.job import Job
from fastapi import APIRouter, HTTPException, Query, Request, Response

from .http import CS, J, Stream, body_stream, out_stream
from .store import Refused, Store


def add_data(r: APIRouter, store: Store) -> None:
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
