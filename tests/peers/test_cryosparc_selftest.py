"""The selftest: every question has its answer, and no job stays that can be deleted."""

import json

import pytest

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

from cryosparc_project import project
from csemu.store import Options, Refused

from frostpick_jobs.hosts.cryosparc import selftest
from frostpick_jobs.hosts.cryosparc.selftest import run_selftest
from frostpick_jobs.hosts.cryosparc.selftest_jobs import SelftestJobs
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError

pytestmark = [
    pytest.mark.cryosparc,
    pytest.mark.filterwarnings("ignore:.*API client.*:UserWarning"),
]

ONE = ((200, 320),)
JOBS = "/workspaces/W1/jobs"


def test_selftest_answers_every_question_and_hides_the_site(tmp_path):
    with project(tmp_path, shapes=ONE) as p:
        answers = run_selftest(p.connect(), p.uid, None)
        text = json.dumps(answers)
        assert answers["save with float64 fractions"]["code"] == 422
        assert answers["save of picks"]["items"] == 2
        assert answers["save, mark failed, mark completed after a kill"]["status"] == "killed"
        native = answers["native jobs"]
        assert native["specs"]["inspect_picks_v2"]["inputs"]["particles"]["slots"] == [
            "location (location, required)",
            "pick_stats (pick_stats, required)",
        ]
        assert "topaz_train" in native["missing"]
        assert answers["status after Ctrl-C inside the client's run()"] == "completed"
        assert answers["download of an imported micrograph, which is a link"]["bytes"] > 256_000
        for secret in ("127.0.0.1", "picker@", str(tmp_path), "secret"):
            assert secret not in text
        made = [
            path for verb, path, _ in p.store.requests if verb == "POST" and path.endswith(JOBS)
        ]
        assert len(made) >= 10 and sorted(j for _, j in p.store.jobs) == ["J1", "J2", "J3"]
        assert answers["jobs that could not be deleted"] == {}


def titled(p):
    return [j.uid for j in p.store.jobs.values() if j.title == "frostpick selftest"]


def test_what_cannot_be_deleted_is_named_and_what_was_there_stays(tmp_path, caplog):
    caplog.set_level("INFO")
    with project(tmp_path, Options(protected=("J6", "J9")), shapes=ONE) as p:
        p.store.create_job(p.uid, "W1", "snowflake", "frostpick selftest")
        answers = run_selftest(p.connect(), p.uid, "W1")
        assert titled(p) == ["J4", "J6", "J9"]
        assert "stay, since they were there before: J4" in caplog.text
        assert "J6 is protected); delete them in the web page: P1-J6, P1-J9" in caplog.text
        left = answers["jobs that could not be deleted"]
        assert list(left) == ["J6", "J9"] and "Job J9 is protected" in left["J9"]
        assert "127.0.0.1" not in json.dumps(answers)


def test_jobs_are_deleted_where_their_making_got_no_answer_and_after_a_stop(tmp_path, monkeypatch):
    with project(tmp_path, shapes=ONE) as p:
        real = p.store.create_job

        def lost(*arguments):
            real(*arguments)
            raise Refused(500, "an answer that says nothing")

        monkeypatch.setattr(p.store, "create_job", lost)
        answers = run_selftest(p.connect(), p.uid, "W1")
        assert answers["save of picks"]["code"] == 500 and titled(p) == []
        monkeypatch.setattr(p.store, "create_job", real)

        make, made = SelftestJobs.make, []

        def stopped(jobs):
            if len(made) == 3:
                raise KeyboardInterrupt
            made.append(make(jobs))
            return made[-1]

        monkeypatch.setattr(SelftestJobs, "make", stopped)

        with pytest.raises(KeyboardInterrupt):
            run_selftest(p.connect(), p.uid, "W1")
        assert titled(p) == []


def test_a_server_without_the_way_to_delete_leaves_named_jobs(tmp_path, monkeypatch, caplog):
    with project(tmp_path, shapes=ONE) as p:
        server = p.connect()
        monkeypatch.delattr(server.client.api.jobs, "delete")
        answers = run_selftest(server, p.uid, "W1")
        left = titled(p)
        assert list(answers["jobs that could not be deleted"]) == left and len(left) >= 10
        assert f"delete them in the web page: P1-{left[0]}, " in caplog.text
        running = [j.uid for j in p.store.jobs.values() if j.status in ("running", "waiting")]
        assert not running


def test_a_job_type_that_cannot_be_described_costs_itself(tmp_path, monkeypatch):
    with project(tmp_path, shapes=ONE) as p:
        real = selftest.specification

        def spec(one, with_parameters):
            if one.type == "inspect_picks_v2":
                raise AttributeError("no slots")
            return real(one, with_parameters)

        monkeypatch.setattr(selftest, "specification", spec)
        specs = run_selftest(p.connect(), p.uid, "W1")["native jobs"]["specs"]
        assert specs["inspect_picks_v2"]["refused"] == "no slots"
        assert specs["snowflake"] == {"inputs": {}, "outputs": {}}
        with pytest.raises(ServerError, match="there is no project P9 on"):
            run_selftest(p.connect(), "P9", "W1")
