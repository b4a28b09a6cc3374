"""What the routes share: streams, pages, the register of job types."""

from typing import Literal, Union

from cryosparc.models.job_register import JobRegister, JobRegisterJobSpec, JobRegisterParamSpec
from cryosparc.models.job_spec import (
    InputSlot,
    InputSpec,
    InputSpecs,
    OutputSlot,
    OutputSpec,
    OutputSpecs,
)
from fastapi import Response

from . import registry
from .store import oid

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


J = "/projects/{project_uid}/jobs/{job_uid}"


def page(items, order, after, limit):
    items = items if order == 1 else items[::-1]
    if after:
        ids = [i.id for i in items]
        items = items[ids.index(after) + 1 :] if after in ids else []
    return items[:limit]


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
    return JobRegister(_id=oid(), specs=specs, categories={s.category: s.category for s in specs})
