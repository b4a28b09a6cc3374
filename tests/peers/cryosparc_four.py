"""The loopback server with the face of CryoSPARC 4.7: JSON-RPC and raw files on three ports.

Request and document shapes are those of the client, cryosparc-tools 4.7.1 (its calls and
`spec.py`); a parameter it does not send, or one it sends that is not known here, is refused.
What happens behind is the 5.0 double. Nothing here was compared with a live CryoSPARC 4.7.
"""

import contextlib
import inspect
import io
import json
import socket
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryosparc.dataset import Dataset
from cryosparc.models.asset import GridFSAsset
from cryosparc.models.job_spec import InputSlot, InputSpec, OutputSlot, OutputSpec
from csemu.store import Refused, Store

LICENCE = "01234567-89ab-cdef-0123-456789abcdef"
DATASET = "application/x-cryosparc-dataset"
NAMES = {"core": 2, "vis": 3, "rtp": 5}


def document(store: Store, job) -> dict:
    """Return a job as a 4.7 document (`JobDocument` of the client)."""
    inputs = [
        {
            "type": one.type,
            "name": name,
            "title": one.title,
            "description": one.description or "",
            "count_min": one.count_min,
            "count_max": None if one.count_max == "inf" else one.count_max,
            "repeat_allowed": one.repeat_allowed,
            "slots": [
                {"type": one.type, "name": s.name, "title": s.name, "optional": not s.required}
                for s in one.slots
            ],
            "connections": [
                {
                    "job_uid": c.job_uid,
                    "group_name": c.output,
                    "slots": [
                        {
                            "slot_name": r.name,
                            "job_uid": r.job_uid,
                            "group_name": r.output,
                            "result_name": r.result,
                            "result_type": f"{one.type}.{r.dtype}",
                            "version": r.version,
                        }
                        for r in c.results
                    ],
                }
                for c in one.connections
            ],
        }
        for name, one in job.spec.inputs.root.items()
    ]
    results, groups = [], []
    for name, one in job.spec.outputs.root.items():
        full = dict(store.output_fields(job.project_uid, job.uid, name, full=False))
        for r in one.results:
            results.append(
                {
                    "uid": f"{job.uid}-R{len(results)}",
                    "type": f"{one.type}.{r.dtype}",
                    "name": r.name,
                    "group_name": name,
                    "title": r.name,
                    "description": "",
                    "versions": r.versions,
                    "metafiles": r.metafiles,
                    "min_fields": [
                        [f.split("/", 1)[1], t]
                        for f, t in full.items()
                        if f.startswith(f"{r.name}/")
                    ],
                    "num_items": r.num_items[-1] if r.num_items else 0,
                    "passthrough": r.passthrough,
                }
            )
        groups.append(
            {
                "uid": f"{job.uid}-G{len(groups)}",
                "type": one.type,
                "name": name,
                "title": one.title,
                "description": "",
                "contains": [
                    {k: r[k] for k in ("uid", "type", "name", "group_name", "passthrough")}
                    for r in results
                    if r["group_name"] == name
                ],
                "passthrough": one.passthrough or False,
                "num_items": one.num_items or 0,
                "summary": {},
            }
        )
    return {
        "uid": job.uid,
        "project_uid": job.project_uid,
        "type": job.spec.type,
        "job_type": job.spec.type,
        "title": job.title,
        "description": job.description,
        "status": job.status,
        "parents": job.parents,
        "children": job.children,
        "workspace_uids": job.workspace_uids,
        "input_slot_groups": inputs,
        "output_result_groups": groups,
        "output_results": results,
        "params_spec": {},
    }


def slots(given, kind):
    """Return slots of 4.7: texts, or dictionaries with ``prefix`` and never ``name``."""
    found = []
    for one in given:
        if isinstance(one, str):
            found.append(one)
            continue
        if not set(one) <= {"prefix", "dtype", "required"}:
            raise Refused(422, {"slots": [f"unknown keys {sorted(one)}"]})
        words = {"name": one["prefix"], "dtype": one["dtype"]}
        if kind is InputSlot:
            words["required"] = one.get("required", True)
        found.append(kind(**words))
    return found


class Core:
    """``command_core``: jobs, projects, status, event log."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def get_id_by_email_password(self, email, password):
        if (email, password) != (self.store.opt.email, self.store.opt.password):
            raise Refused(401, "wrong email or password")
        return "user1"

    def get_running_version(self):
        return self.store.opt.version

    def get_project(self, project_uid):
        return {"uid": self.store.project(project_uid).uid}

    def get_project_dir_abs(self, project_uid):
        return self.store.shown_dir(self.store.pdir(project_uid))

    def get_workspace(self, project_uid, workspace_uid):
        return {"uid": self.store.workspace(project_uid, workspace_uid).uid}

    def get_job(self, project_uid, job_uid):
        return document(self.store, self.store.job(project_uid, job_uid))

    def get_job_dir_abs(self, project_uid, job_uid):
        return self.store.shown_dir(self.store.jdir(self.store.job(project_uid, job_uid)))

    def job_connect_group(self, project_uid, source_group, dest_group):
        (job, output), (target, name) = source_group.split("."), dest_group.split(".")
        self.store.connect(project_uid, target, name, job, output)
        return True

    def job_connected_group_clear(self, project_uid, dest_group, connect_idx=None):
        target, name = dest_group.split(".")
        self.store.disconnect(project_uid, target, name, connect_idx)

    def job_send_streamlog(
        self, project_uid, job_uid, message, error=False, flags=None, imgfiles=None
    ):
        if imgfiles:
            images = [GridFSAsset.model_validate(one) for one in imgfiles]
            self.store.add_image(project_uid, job_uid, images, message, flags)
        else:
            self.store.add_text(project_uid, job_uid, message, "error" if error else "text")
        return "event"

    def run_external_job(self, project_uid, job_uid, status):
        self.store.mark_running(project_uid, job_uid, status)

    def set_job_status(self, project_uid, job_uid, status):
        if status == "completed":
            self.store.mark_completed(project_uid, job_uid)
        else:
            self.store.mark_failed(project_uid, job_uid)

    def clear_job(self, project_uid, job_uid):
        self.store.clear(project_uid, job_uid)

    def kill_job(self, project_uid, job_uid):
        self.store.kill(project_uid, job_uid)


class Vis:
    """``command_vis``: External jobs and files."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def create_external_job(self, project_uid, workspace_uid, user, title, desc):
        made = self.store.create_job(
            project_uid, workspace_uid, "snowflake", title or "", desc or ""
        )
        return made.uid

    def add_external_job_input(self, project_uid, job_uid, type, name, min, max, slots, title):
        spec = InputSpec(
            type=type,
            title=title or name,
            count_min=min,
            count_max=max,
            slots=globals()["slots"](slots, InputSlot),
        )
        self.store.add_input(project_uid, job_uid, name, spec)

    def add_external_job_output(self, project_uid, job_uid, type, name, slots, passthrough, title):
        spec = OutputSpec(
            type=type,
            title=title or name,
            slots=globals()["slots"](slots, OutputSlot),
            passthrough=passthrough,
        )
        self.store.add_output(project_uid, job_uid, name, spec)

    def connect_external_job(
        self,
        project_uid,
        source_job_uid,
        source_output,
        target_job_uid,
        target_input,
        slots,
        title,
        desc,
    ):
        self.store.connect(project_uid, target_job_uid, target_input, source_job_uid, source_output)

    def project_mkdir(self, project_uid, path, parents, exist_ok):
        self.store.mkdir(project_uid, path, parents, exist_ok)

    def list_project_files(self, project_uid, prefix, recursive):
        return self.store.ls(project_uid, prefix, recursive)


def handler(store: Store, service: object, seen: list):
    """Return the HTTP handler of one port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments):
            pass

        def body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            data = b""
            while size := int(self.rfile.readline().strip() or b"0", 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data

        def answer(self, data, mime="application/json", code=200):
            raw = data if isinstance(data, bytes) else json.dumps(data).encode()
            self.send_response(code)
            self.send_header("Content-Type", mime)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def do_POST(self):
            body = self.body()
            if self.headers.get("License-ID") != LICENCE:
                self.answer({"detail": "no licence"}, code=401)
                return
            url = urllib.parse.urlsplit(self.path)
            query = dict(urllib.parse.parse_qsl(url.query))
            with store.lock:
                try:
                    self.route(url.path, query, body)
                except Refused as error:
                    if url.path == "/api":
                        wrong = {"name": "Refused", "code": error.code, "message": str(error)}
                        self.answer({"jsonrpc": "2.0", "error": wrong})
                    else:
                        self.answer({"detail": str(error)}, code=error.code)

        def route(self, path, query, body):
            parts = path.strip("/").split("/")
            if path == "/api":
                self.answer({"jsonrpc": "2.0", "result": self.rpc(json.loads(body))})
            elif path == "/load_job_input":
                asked = json.loads(body)
                wanted = asked["slots"] or "all"
                rows = store.load_input(
                    asked["project_uid"], asked["job_uid"], asked["input_name"], wanted
                )
                self.answer(b"".join(rows.stream(compression="lz4")), DATASET)
            elif path == "/get_project_file":
                asked = json.loads(body)
                found = store.path(asked["project_uid"], asked["path"])
                if not found.is_file():
                    raise Refused(404, f"{asked['path']} is not a file")
                data = found.read_bytes()
                stream = data.startswith(b"\x95CSDAT")
                self.answer(data, DATASET if stream else "application/octet-stream")
            elif parts[0] == "external":
                rows = Dataset.load(io.BytesIO(body))
                store.save_output(parts[2], parts[4], parts[6], rows)
                self.answer({})
            elif len(parts) == 3 and parts[2] == "files":
                store.upload_file(parts[1], query["path"], body, "overwrite" in query)
                self.answer({})
            elif len(parts) == 5 and parts[4] == "files":
                made = store.upload_asset(
                    parts[1], parts[3], body, query.get("filename"), query.get("format")
                )
                self.answer(json.loads(made.model_dump_json()), code=201)
            else:
                raise Refused(404, path)

        def rpc(self, asked):
            name, params = asked["method"], asked["params"]
            if name == "system.describe":
                names = [n for n in dir(type(service)) if not n.startswith("_")]
                return {"procs": [{"name": n} for n in names if callable(getattr(service, n))]}
            method = getattr(service, name)
            seen.append((name, sorted(params) if isinstance(params, dict) else len(params)))
            words = params if isinstance(params, dict) else {}
            row = [] if isinstance(params, dict) else params
            try:
                inspect.signature(method).bind(*row, **words)
            except TypeError as error:
                raise Refused(422, f"{name}: {error}") from None
            return method(*row, **words)

    return Handler


def free_base() -> int:
    """Return a base port whose three service ports are free."""
    while True:
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(socket.socket())
            first.bind(("127.0.0.1", 0))
            base = first.getsockname()[1]
            try:
                for step in NAMES.values():
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", base + step))
            except OSError:
                continue
            return base


@contextlib.contextmanager
def running_four(store: Store) -> Iterator[tuple[str, list]]:
    """Serve a store as CryoSPARC 4.7; gives the URL and the list of calls."""
    base, seen, servers = free_base(), [], []
    services = {"core": Core(store), "vis": Vis(store), "rtp": object()}
    for name, step in NAMES.items():
        server = ThreadingHTTPServer(
            ("127.0.0.1", base + step), handler(store, services[name], seen)
        )
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
    try:
        yield f"http://127.0.0.1:{base}", seen
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
