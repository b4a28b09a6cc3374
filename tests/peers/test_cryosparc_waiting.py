"""While the server is silent: it is said what is waited for, and a Ctrl-C ends within seconds."""

import os
import signal
import threading
import time
from types import SimpleNamespace

import pytest
from waits import LONG

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

from cryosparc_project import impatient, project
from csemu.store import Options
from test_cryosparc_failures import AGAIN, pick

from frostpick.errors import JobStopped
from frostpick_jobs.hosts.cryosparc.server import connect, waiting
from frostpick_jobs.hosts.cryosparc.server.connect import Credentials, RetryPolicy, Server
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError
from frostpick_jobs.tasks.pick import finish

pytestmark = [
    pytest.mark.cryosparc,
    pytest.mark.filterwarnings("ignore:.*API client.*:UserWarning"),
]

ONE = ((200, 320),)


class Answer(Exception):
    """What the client raises for an answer with a code."""

    def __init__(self, code):
        super().__init__(f"error {code}")
        self.code = code


@pytest.fixture
def server():
    return Server("http://x", None, "v5.0.3", Credentials(), RetryPolicy(LONG, 0.05))


@pytest.fixture
def silence():
    """An event that a request waits for: the server does not answer until the test ends."""
    event = threading.Event()
    yield event
    event.set()


def test_it_is_said_what_is_waited_for(server, silence, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(waiting, "FIRST_WORD", 0.3)
    with pytest.raises(ServerError, match="no answer within 1 s"):
        server.call("save J5.particles", silence.wait, patience=RetryPolicy(0.0, hang=1.0))
    assert caplog.text.count("waiting for CryoSPARC at http://x: save J5.particles") == 1

    def refused():
        raise Answer(500)

    now = [0.0]

    def sleep(seconds):
        now[0] += seconds

    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=sleep)
    monkeypatch.setattr(waiting, "time", clock)
    monkeypatch.setattr(connect, "time", clock)
    with pytest.raises(ServerError, match="error 500"):
        server.call("read J5", refused, patience=RetryPolicy(0.6, 0.1))
    assert "waiting for CryoSPARC at http://x: read J5 (error 500)" in caplog.text


@pytest.mark.parametrize("how", ["hangs", "refuses"])
def test_every_request_sees_a_stop(server, silence, how):
    asked = threading.Event()

    def request():
        asked.set()
        if how == "refuses":
            raise Answer(500)
        silence.wait()

    def stop():
        if asked.is_set():
            raise JobStopped("stopped")

    server.stop = stop
    with pytest.raises(JobStopped):
        server.call("save", request)


@pytest.mark.parametrize("name", ["create_job", "load_input", "path", "save_output"])
def test_ctrl_c_ends_the_job_while_the_server_is_silent(
    tmp_path, monkeypatch, caplog, silence, name
):
    """At the making, the reading, a download and the saving; every request after it hangs too."""
    monkeypatch.setattr(finish, "pick_figures", lambda *a: [])
    with project(tmp_path, Options(remote_paths=True), shapes=ONE) as p, impatient():
        real, pressed = getattr(p.store, name), []

        def hang(*arguments, **words):
            if not pressed:
                pressed.append(time.monotonic())
                threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
            silence.wait()
            return real(*arguments, **words)

        server = p.connect(seconds=LONG)  # by itself it would wait as long
        monkeypatch.setattr(p.store, name, hang)
        if name == "create_job":
            with pytest.raises(JobStopped):
                pick(p, server)
            assert "in P1-W1: where there is one titled 'frostpick pick' without" in caplog.text
        else:
            assert pick(p, server) == 128 + signal.SIGINT
            assert f"{AGAIN} --job {p.latest()}" in caplog.text
        # Tens of seconds on a busy machine; what waits for the server waits three times as long.
        assert time.monotonic() - pressed[0] < LONG / 3
        silence.set()
