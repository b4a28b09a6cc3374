"""Whatever ends a job: the right status, nothing lost, and a command that resumes."""

import os
import re
import shlex
import signal
import threading

import numpy as np
import pytest

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

from contextlib import ExitStack

from cryosparc_project import (
    DIAMETER_A,
    Project,
    command,
    impatient,
    project,
    requested,
    write_project,
)
from csemu.seed import seed_project
from csemu.serve import free_port, running
from csemu.store import Options, Refused, Store
from waits import LONG, wait_until

from frostpick.errors import FrostpickError, JobStopped
from frostpick.settings import PickSettings
from frostpick_jobs.hosts.cryosparc import run
from frostpick_jobs.hosts.cryosparc.run import Tempo
from frostpick_jobs.hosts.cryosparc.server import client_versions, upload
from frostpick_jobs.hosts.cryosparc.server.job import ExternalJob
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.hosts.cryosparc.server.waiting import Waiting
from frostpick_jobs.hosts.cryosparc.server.watch import StatusWatch
from frostpick_jobs.tasks.pick import finish, not_yet_picked

pytestmark = [
    pytest.mark.cryosparc,
    pytest.mark.filterwarnings("ignore:.*API client.*:UserWarning"),
]

FAST = Tempo(poll=0.05, events=0.02)
AGAIN = "frostpick cryosparc pick --project P1 --diameter 48"
SHAPES = ((200, 320), (320, 200), (200, 320), (200, 320))


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch):
    monkeypatch.setattr(finish, "pick_figures", lambda *a: [])


@pytest.fixture
def stored(monkeypatch):
    """After each stored micrograph call the actions that a test puts into this list."""
    real, actions, done = not_yet_picked.keep, [], []

    def keep(store, keys, found, failed, plan):
        real(store, keys, found, failed, plan)
        done.append(found.micrograph_id)
        if actions:
            actions.pop(0)()

    monkeypatch.setattr(not_yet_picked, "keep", keep)
    return actions, done


def pick(project, server=None, **request):
    where = {} if "job" in request else {"workspace": "W1"}
    asked = requested(
        "pick",
        project.uid,
        micrographs=(OutputRef("J2", "exposures"),),
        again=AGAIN,
        **{**where, **request},
    )
    settings = PickSettings(
        model="blob", diameter=DIAMETER_A, threads=1, device="cpu", threshold="p=0.9"
    )
    return run.run_task_for_exit_code(
        server or project.connect(), asked, settings, spool=project.root / "spool", tempo=FAST
    )


def spool(project, job):
    (found,) = (project.root / "spool").rglob(f"{project.uid}-{job}")
    return found


def results(project, job):
    return len(list((spool(project, job) / "picks").glob("*.npz")))


def rows(project, job):
    found = project.store.load_output(project.uid, job, "particles", "all")
    order = np.argsort(np.array(found["uid"]))
    return {f: np.array(found[f])[order].tolist() for f in sorted(found.fields())}


def check_resumed(project, job, done, before):
    """Resume a stopped job; what was done is not done again, and nothing differs."""
    done.clear()
    assert pick(project, job=job) == 0
    assert len(done) == len(SHAPES) - before
    assert project.job(job).status == "completed"
    assert not list((project.root / "spool").rglob(f"{project.uid}-{job}"))
    assert pick(project) == 0
    whole, resumed = rows(project, project.latest()), rows(project, job)
    for one in (whole, resumed):
        one.pop("uid")
        order = np.lexsort([one[f"location/center_{a}_frac"] for a in "xy"])
        for name in one:
            one[name] = [one[name][n] for n in order]
    assert whole == resumed


@pytest.fixture
def noticed(monkeypatch):
    """Return what waits until the job's watch knows that the job is not ours any more."""
    real, seen = StatusWatch.ask, threading.Event()

    def ask(self, *arguments):
        answered = real(self, *arguments)
        if self.lost is not None:
            seen.set()
        return answered

    monkeypatch.setattr(StatusWatch, "ask", ask)

    def wait():
        assert seen.wait(LONG)

    return wait


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_fails_the_job_and_it_resumes(tmp_path, stored, number):
    actions, done = stored
    with project(tmp_path, shapes=SHAPES) as p:
        actions += [lambda: None, lambda: os.kill(os.getpid(), number)]
        assert pick(p) == 128 + number
        job = p.latest()
        assert p.job(job).status == "failed"
        last = p.texts(job)[-1]
        assert f"stopped by {number.name}" in last and f"{AGAIN} --job {job}" in last
        assert results(p, job) == 2
        check_resumed(p, job, done, before=2)


def test_an_exception_fails_the_job_and_it_resumes(tmp_path, stored, caplog):
    actions, done = stored

    def bug():
        raise ZeroDivisionError("x" * 100_000)

    with project(tmp_path, shapes=SHAPES) as p:
        actions += [lambda: None, bug]
        assert pick(p) == 1
        job = p.latest()
        assert p.job(job).status == "failed"
        # The text travels in a URL.
        errors = p.job(job).errors_run
        assert "bug in frostpick: ZeroDivisionError" in errors[0].message
        assert len(errors[0].message) < 2000
        assert (spool(p, job) / "traceback.txt").exists() and results(p, job) == 2
        assert "secret" not in (spool(p, job) / "traceback.txt").read_text()
        check_resumed(p, job, done, before=2)


@pytest.mark.parametrize("switch", ["allow", "refuse"])
def test_a_kill_in_the_web_page_stops_the_job_and_leaves_it_killed(
    tmp_path, stored, noticed, switch
):
    actions, done = stored
    options = Options(mark_failed_after_kill=switch)
    with project(tmp_path, options, shapes=SHAPES) as p:

        def kill():
            p.connect().client.find_job(p.uid, p.latest()).kill()
            noticed()

        actions += [kill]
        assert pick(p) == 130
        job = p.latest()
        assert p.job(job).status == "killed" and results(p, job) == 1
        check_resumed(p, job, done, before=1)


def test_a_job_killed_and_cleared_under_way_loses_nothing(
    tmp_path, stored, noticed, caplog, monkeypatch
):
    actions, done = stored
    with project(tmp_path, shapes=SHAPES) as p:
        ask = client_versions.status
        # Not the store's own lock: the server, waiting for that one, would answer no poll.
        one_at_a_time = threading.Lock()

        def ask_between(*arguments):
            with one_at_a_time:
                return ask(*arguments)

        monkeypatch.setattr(client_versions, "status", ask_between)

        def clear():
            # One moment for the status poll, which could otherwise see the kill alone.
            with one_at_a_time:
                p.store.kill(p.uid, p.latest())
                p.store.clear(p.uid, p.latest())
            noticed()

        actions += [lambda: None, clear]
        assert pick(p) == 130
        job = p.latest()
        assert p.job(job).status == "building" and results(p, job) == 2
        assert "cleared in the web page" in caplog.text and f"--job {job}" in caplog.text
        check_resumed(p, job, done, before=2)


def test_a_refused_save_fails_the_job_and_keeps_the_picks(tmp_path, stored, monkeypatch):
    _, done = stored
    with project(tmp_path, shapes=SHAPES) as p:
        real = p.store.save_output

        def refuse(*arguments):
            raise Refused(422, "Invalid dataset; the server does not like it")

        monkeypatch.setattr(p.store, "save_output", refuse)
        assert pick(p) == 1
        job = p.latest()
        assert p.job(job).status == "failed" and results(p, job) == len(SHAPES)
        assert "the server does not like it" in p.texts(job)[-1]
        monkeypatch.setattr(p.store, "save_output", real)
        check_resumed(p, job, done, before=len(SHAPES))


def test_a_save_that_lost_rows_is_made_again(tmp_path, monkeypatch, caplog):
    with project(tmp_path, shapes=SHAPES) as p:
        real, lost = p.store.save_output, []

        def lose(project_uid, job, name, dataset, version=0):
            if not lost:
                lost.append(name)
                dataset = dataset.slice(0, len(dataset) // 2)
            return real(project_uid, job, name, dataset, version)

        monkeypatch.setattr(p.store, "save_output", lose)
        assert pick(p) == 0
        assert lost == ["particles_all"] and "; again" in caplog.text
        job = p.job(p.latest())
        assert len(rows(p, job.uid)["uid"]) == job.spec.outputs.root["particles"].num_items


def test_a_save_whose_body_arrived_empty_is_made_again(tmp_path, monkeypatch):
    """What the server says to a body that the client has lost in its own retry."""
    with project(tmp_path, shapes=SHAPES[:1]) as p:
        real, refused = p.store.save_output, []

        def empty(*arguments):
            if not refused:
                refused.append(arguments)
                raise Refused(422, "Cannot read dataset: no bytes")
            return real(*arguments)

        monkeypatch.setattr(p.store, "save_output", empty)
        assert pick(p) == 0 and refused
        assert p.job(p.latest()).status == "completed"


def test_an_upload_that_arrives_empty_is_made_again(tmp_path, monkeypatch):
    with project(tmp_path, shapes=SHAPES[:1]) as p:
        real, emptied = p.store.upload_file, []

        def empty(project_uid, path, data, overwrite):
            if not emptied:
                emptied.append(path)
                data = b""
            return real(project_uid, path, data, overwrite)

        monkeypatch.setattr(p.store, "upload_file", empty)
        assert pick(p) == 0
        record = p.store.jdir(p.job(p.latest())) / "frostpick.json"
        assert emptied and record.stat().st_size > 100
        # The same where the folder is not mounted: the file is read back.
        p.store.opt.remote_paths = True
        emptied.clear()
        job = ExternalJob(
            server := p.connect(), p.uid, server.client.create_external_job(p.uid, "W1")
        )
        upload.upload_file(job, "model/x.bin", b"12345")
        assert emptied and (p.store.jdir(p.job(job.uid)) / "model/x.bin").read_bytes() == b"12345"


def test_a_server_restart_in_mid_job_is_waited_out(tmp_path, stored, monkeypatch):
    """The server goes away, forgets every login, and comes back."""
    actions, _ = stored
    truth = write_project(tmp_path / "raw", shapes=SHAPES)
    store = Store(tmp_path / "state", Options())
    made = seed_project(store, truth)
    port = free_port()
    with ExitStack() as stack:
        up = ExitStack()
        url = up.enter_context(running(store, port))
        stack.callback(lambda: up.close())
        p = Project(store, made, truth, url, tmp_path)
        stack.callback(p.close)
        server = p.connect()
        real, refused = Waiting.pause, threading.Event()

        def pause(self, seconds):
            refused.set()
            real(self, seconds)

        monkeypatch.setattr(Waiting, "pause", pause)

        def back():
            assert refused.wait(LONG)
            p.store = Store(tmp_path / "state", Options())
            up.enter_context(running(p.store, port))

        returning = threading.Thread(target=back)

        def restart():
            up.close()
            returning.start()

        actions += [lambda: None, restart]
        assert pick(p, server) == 0 and refused.is_set()
        returning.join()
        job = p.latest()
        assert p.job(job).status == "completed"
        assert p.job(job).spec.outputs.root["micrographs"].num_items == len(SHAPES)


def test_a_stop_while_the_server_is_gone_ends_soon_and_resumes(tmp_path, stored, caplog):
    actions, _ = stored
    truth = write_project(tmp_path / "raw", shapes=SHAPES)
    store = Store(tmp_path / "state", Options())
    made = seed_project(store, truth)
    port = free_port()
    with ExitStack() as stack:
        up = ExitStack()
        url = up.enter_context(running(store, port))
        p = Project(store, made, truth, url, tmp_path)
        stack.callback(p.close)
        server = p.connect(seconds=1.0)

        def gone():
            up.close()
            os.kill(os.getpid(), signal.SIGINT)

        actions += [lambda: None, gone]
        with impatient():
            assert pick(p, server) == 130
        assert "J4 could not be marked as failed" in caplog.text
        assert f"{AGAIN} --job J4" in caplog.text and results(p, "J4") == 2
        p.store = Store(tmp_path / "state", Options())
        assert p.job("J4").status == "running"
        stack.enter_context(running(p.store, port))
        assert pick(p, job="J4") == 0 and p.job("J4").status == "completed"


def test_half_made_jobs_are_failed_and_named(tmp_path, monkeypatch):
    with project(tmp_path, shapes=SHAPES[:1]) as p:
        real = p.store.add_output

        def refuse(project_uid, job, name, spec):
            if name == "particles_all":
                raise Refused(422, "no more outputs")
            return real(project_uid, job, name, spec)

        monkeypatch.setattr(p.store, "add_output", refuse)
        with pytest.raises(FrostpickError, match=r"no more outputs; P1-J4 was made and is marked"):
            pick(p)
        assert p.job("J4").status == "failed"
        assert any("no more outputs" in text for text in p.texts("J4"))


STEPS = ["add_input", "connect", "add_output"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_while_the_job_is_made_fails_it_and_says_how_to_go_on(
    tmp_path, monkeypatch, caplog, step, number
):
    with project(tmp_path, shapes=SHAPES[:1]) as p:
        real, done = getattr(p.store, step), []

        def interrupted(*arguments):
            if not done:
                done.append(os.kill(os.getpid(), number))
            return real(*arguments)

        monkeypatch.setattr(p.store, step, interrupted)
        with pytest.raises(JobStopped, match=number.name):
            pick(p)
        assert p.job("J4").status == "failed"
        (again,) = re.findall(r"P1-J4 .* marked as failed; to go on: (.*?)  ;", caplog.text)
        assert again == f"{AGAIN} --job J4 --micrographs J2.exposures"
        caplog.clear()
        assert pick(p, job="J4") == 0 and p.job("J4").status == "completed"
        assert p.job("J4").spec.outputs.root["micrographs"].num_items == 1


def test_a_stop_while_a_job_of_the_web_page_is_connected_says_how_to_go_on(
    tmp_path, monkeypatch, caplog
):
    with project(tmp_path, shapes=SHAPES[:1]) as p:
        made = p.store.create_job(p.uid, "W1", "snowflake", "by hand")
        real = p.store.connect

        def interrupted(*arguments):
            os.kill(os.getpid(), signal.SIGINT)
            return real(*arguments)

        monkeypatch.setattr(p.store, "connect", interrupted)
        with pytest.raises(JobStopped):
            pick(p, job=made.uid)
        assert f"to go on: {AGAIN} --job J4 --micrographs J2.exposures  ;" in caplog.text
        assert p.job("J4").status == "building"


def test_the_printed_command_resumes_a_job_whose_process_was_killed(tmp_path, monkeypatch):
    """``kill -9``: the job stays running, and the command that was logged takes it over."""
    with project(tmp_path, shapes=SHAPES * 2, per=3) as p:
        words = ["pick", "--project", p.uid, "--workspace", "W1", "--micrographs", "J2.exposures"]
        options = ["--diameter", "48", "--threads", "1", "--threshold", "p=0.9"]
        save, killed = p.store.save_output, threading.Event()

        def hold(*arguments):
            killed.wait()
            raise Refused(503, "too late")

        monkeypatch.setattr(p.store, "save_output", hold)  # so that it cannot end before
        first = command(p, *words, *options)
        wait_until(lambda: len(list(p.root.rglob("picks/*.npz"))) >= 1)
        first.kill()
        output = first.communicate()[0]
        killed.set()
        monkeypatch.setattr(p.store, "save_output", save)
        job = p.latest()
        assert p.job(job).status == "running"
        (resume,) = re.findall(r"to resume: (.*)", output)
        again = shlex.split(resume)
        assert again[:2] == ["frostpick", "cryosparc"] and again[-2:] == ["--job", job]
        assert "secret" not in output
        second = command(p, *again[2 : again.index("--url")], "--job", job)
        said = second.communicate()[0]
        assert second.returncode == 0, said
        assert p.job(job).status == "completed"
        assert p.job(job).spec.outputs.root["micrographs"].num_items == 8
        assert "secret" not in said and ": 8 to pick" not in said
