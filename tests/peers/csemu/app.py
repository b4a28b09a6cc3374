"""HTTP face of the emulator. Request bodies and responses are the client's own pydantic models."""

import hashlib
import secrets
import time

from cryosparc.models.api_response import Hello
from cryosparc.models.auth import Token
from cryosparc.models.job_register import JobRegister
from cryosparc.models.scheduler_lane import SchedulerLane
from cryosparc.models.scheduler_target import SchedulerTarget
from cryosparc.models.user import User
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from fastapi.security import OAuth2PasswordRequestForm

from .http import register
from .routes_data import add_data
from .routes_jobs import add_jobs
from .routes_projects import add_projects
from .routes_status import add_status
from .store import Refused, Store


def build_app(store: Store) -> FastAPI:
    def auth(request: Request):
        head = request.headers.get("authorization", "")
        known = head.startswith("Bearer ") and not store.opt.revoked
        if not known or store.tokens.get(head[7:], 0) < time.time():
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
        store.tokens[token] = time.time() + expires_in
        return Token(access_token=token, token_type="bearer")

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

    for add in (add_projects, add_jobs, add_data, add_status):
        add(r, store)
    app.include_router(r)
    outer = FastAPI(openapi_url=None)
    outer.mount("/api/cmd", app)
    outer.state.api, outer.state.store = app, store
    return outer
