"""Start the emulator in a thread (tests) or from the command line."""

import argparse
import contextlib
import socket
import threading
import time

import uvicorn

from .app import build_app
from .store import Options, Store


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def running(store, port=None):
    """Serve `store` on loopback for the duration of the block; yields the base URL."""
    port = port or free_port()
    server = uvicorn.Server(
        uvicorn.Config(build_app(store), host="127.0.0.1", port=port, log_level="warning")
    )
    t = threading.Thread(target=server.run, daemon=True)
    t.start()
    end = time.time() + 900
    while not server.started:
        if time.time() > end:
            raise RuntimeError("emulator did not start")
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        t.join(900)


def main():
    ap = argparse.ArgumentParser(prog="python -m csemu", description=__doc__)
    ap.add_argument("state", help="folder that holds (or will hold) the projects")
    ap.add_argument("--port", type=int, default=39000)
    ap.add_argument("--email", default="picker@example.com")
    ap.add_argument("--password", default="secret")
    ap.add_argument("--version", default="v5.0.3", help="version string reported to the client")
    ap.add_argument(
        "--lenient-values", action="store_true", help="check field names and dtypes only"
    )
    ap.add_argument(
        "--alloc", choices=["min", "full"], default="full", help="fields returned for alloc_output"
    )
    ap.add_argument(
        "--remote-paths",
        action="store_true",
        help="report directories that do not exist on the client",
    )
    ap.add_argument("--mark-failed-after-kill", choices=["allow", "refuse"], default="allow")
    ap.add_argument(
        "--seed",
        nargs="*",
        metavar="MRC",
        help="seed a project from these micrographs (no picks) first",
    )
    a = ap.parse_args()
    store = Store(
        a.state,
        Options(
            email=a.email,
            password=a.password,
            version=a.version,
            strict_values=not a.lenient_values,
            alloc=a.alloc,
            remote_paths=a.remote_paths,
            mark_failed_after_kill=a.mark_failed_after_kill,
        ),
    )
    if a.seed is not None and not store.projects:
        from .seed import seed_project, synthetic_micrographs

        mics = a.seed or synthetic_micrographs(store.root / "_synthetic")
        print(seed_project(store, mics))
    print(
        f"CryoSPARC emulator {a.version} at http://127.0.0.1:{a.port}  email={a.email} password={a.password}"
    )
    uvicorn.run(build_app(store), host="127.0.0.1", port=a.port, log_level="info", access_log=False)
