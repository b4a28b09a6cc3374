"""A wrong password, a login that was taken back, and one that is lost in mid-job, each say so."""

import datetime

import pytest

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

from cryosparc.auth import InstanceAuthSessions, get_default_auth_config_path
from cryosparc.models.auth import Token
from cryosparc_project import DIAMETER_A, LOGIN, command, project, requested
from csemu.store import Options

from frostpick.settings import PickSettings
from frostpick_jobs.hosts.cryosparc import run
from frostpick_jobs.hosts.cryosparc.run import Tempo
from frostpick_jobs.hosts.cryosparc.server.connect import RetryPolicy, connect
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.tasks.pick import finish, not_yet_picked

pytestmark = [
    pytest.mark.cryosparc,
    pytest.mark.filterwarnings("ignore:.*API client.*:UserWarning"),
]

ONE = ((200, 320),)
QUICK = RetryPolicy(0.5, 0.02)


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """Save a login as the client's own command does; return what does so for a project."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    get_default_auth_config_path.cache_clear()

    def save(p):
        p.connect()
        token = list(p.store.tokens)[-1]
        until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
        sessions = InstanceAuthSessions({})
        found = Token(access_token=token, token_type="bearer")
        sessions.insert(p.url, LOGIN["CRYOSPARC_EMAIL"], found, until)
        sessions.save()
        return token

    yield save
    get_default_auth_config_path.cache_clear()


def test_a_login_that_was_taken_back_says_so(tmp_path, saved):
    with project(tmp_path, shapes=ONE) as p:
        token = saved(p)
        server = connect(p.url, environ={})
        server.close()
        p.store.opt.revoked = True
        with pytest.raises(ServerError) as told:
            connect(p.url, environ={})
        assert "has expired or was revoked; run  python -m cryosparc.tools login" in str(told.value)
        assert f"--url {p.url} (answer 401: Not authenticated)" in str(told.value)
        assert token not in str(told.value) and "4.7" not in str(told.value)


@pytest.mark.parametrize("by", ["password", "token"])
def test_a_login_that_is_lost_for_good_says_so(tmp_path, saved, by):
    with project(tmp_path, shapes=ONE) as p:
        saved(p)
        server = connect(p.url, environ=LOGIN if by == "password" else {}, patience=QUICK)
        p.store.opt.revoked, p.store.opt.password = True, "another"
        with pytest.raises(ServerError) as told:
            server.call("read J2", lambda: server.client.find_job(p.uid, "J2"))
        server.close()
        assert "read J2: Not authenticated; the login was lost, and could not be" in str(told.value)
        word = {"password": "CRYOSPARC_PASSWORD still hold", "token": "run  python -m cryosparc"}
        assert word[by] in str(told.value)
        assert told.value.code == 401 and "secret" not in str(told.value)


def test_what_must_not_be_repeated_is_asked_again_with_a_new_login(tmp_path, monkeypatch):
    """The server forgot the login, so that it did nothing of what was asked."""
    with project(tmp_path, shapes=ONE) as p:
        server = p.connect()
        p.store.tokens.clear()
        server.once("make a job", lambda: server.client.create_external_job(p.uid, "W1"))
        assert p.latest() == "J4"


def test_a_login_lost_in_mid_job_fails_it_with_the_command_that_resumes(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(finish, "pick_figures", lambda *a: [])
    with project(tmp_path, shapes=ONE * 2) as p:
        real = not_yet_picked.keep

        def keep(*arguments):
            real(*arguments)
            p.store.opt.revoked, p.store.opt.password = True, "another"

        monkeypatch.setattr(not_yet_picked, "keep", keep)
        server = connect(p.url, environ=LOGIN, patience=QUICK)
        asked = requested("pick", p.uid, "W1", micrographs=(OutputRef("J2", "exposures"),))
        settings = PickSettings(model="blob", diameter=DIAMETER_A, threads=1, device="cpu")
        spool, tempo = tmp_path / "spool", Tempo(0.05, 0.02)
        assert run.run_task_for_exit_code(server, asked, settings, spool=spool, tempo=tempo) == 1
        assert "the login was lost, and could not be renewed" in caplog.text
        assert "resume with: frostpick cryosparc pick --project P1 --job J4" in caplog.text
        server.close()
        p.store.opt.revoked, p.store.opt.password = False, "secret"
        monkeypatch.setattr(not_yet_picked, "keep", real)
        asked = requested("pick", p.uid, job="J4")
        assert (
            run.run_task_for_exit_code(p.connect(), asked, settings, spool=spool, tempo=tempo) == 0
        )
        assert p.job("J4").status == "completed"


def test_ignore_version_warns_and_goes_on(tmp_path):
    with project(tmp_path, Options(version="v5.1.2"), shapes=ONE) as p:
        asked = command(p, "login-check")
        said = asked.communicate()[0]
        assert asked.returncode == 1 and "go on as it is with --ignore-version" in said
        asked = command(p, "login-check", "--ignore-version")
        said = asked.communicate()[0]
        assert asked.returncode == 0 and "what comes of it is not known" in said
        assert "logged in at" in said and "CryoSPARC v5.1.2" in said
