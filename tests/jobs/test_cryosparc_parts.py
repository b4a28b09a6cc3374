"""The small parts of the CryoSPARC jobs that need no server."""

import logging
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from waits import LONG

from frostpick.errors import ConfigError
from frostpick_jobs.hosts.cryosparc.ports import ports, reference
from frostpick_jobs.hosts.cryosparc.reporter import CryoSPARCReporter
from frostpick_jobs.hosts.cryosparc.request import JobRequest
from frostpick_jobs.hosts.cryosparc.selftest import redact
from frostpick_jobs.hosts.cryosparc.server.connect import find_url
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError, cut, detail, is_transient
from frostpick_jobs.hosts.cryosparc.server.login import Credentials
from frostpick_jobs.hosts.cryosparc.server.references import (
    JobRef,
    OutputRef,
    check_uid,
    parse_job,
    parse_output,
)
from frostpick_jobs.hosts.cryosparc.server.versions import check_versions
from frostpick_jobs.hosts.cryosparc.spool import spool_folder
from frostpick_jobs.hosts.cryosparc.write.summary import listed, table
from frostpick_jobs.tasks.declarations import FEWSHOT, PICK, PRUNE, TRAIN, VERIFY

pytestmark = pytest.mark.quick


def test_references():
    assert parse_output(" J10.exposures", "--micrographs") == OutputRef("J10", "exposures")
    for text in ("J10", "10.exposures", "J10.", "J10.a b", "P1.J10.x", "J10.1x"):
        with pytest.raises(ConfigError, match=r"--micrographs .*J10.exposures"):
            parse_output(text, "--micrographs")
    assert parse_job("J20") == JobRef(None, "J20") == parse_job(" J20 ")
    assert parse_job("P2-J20") == JobRef("P2", "J20") == parse_job("P2.J20")
    assert [parse_job(t) for t in ("./J20", "blob", "J20/model", "j20", "")] == [None] * 5
    assert check_uid("P3", "P", "--project") == "P3"
    with pytest.raises(ConfigError, match="--project 'W3': expected P and a number"):
        check_uid("W3", "P", "--project")


def test_the_url_and_what_it_must_not_hold():
    assert find_url("http://h:1/", {}) == "http://h:1"
    assert find_url(None, {"CRYOSPARC_BASE_URL": "https://cs.example"}) == "https://cs.example"
    assert find_url(None, {"CRYOSPARC_MASTER_HOSTNAME": "h"}) == "http://h:39000"
    assert find_url(None, {"CRYOSPARC_BASE_PORT": "61000"}) == "http://localhost:61000"
    for wrong in ("h:39000", "ftp://h"):
        with pytest.raises(ConfigError, match="expected http"):
            find_url(wrong, {})
    with pytest.raises(ConfigError, match="no user name or password") as caught:
        find_url("http://me:secret@h", {})
    assert "secret" not in str(caught.value)


def test_versions():
    for server in ("v5.0.3", "v5.0.9-privatebeta.1", "develop", "", "5.0.1"):
        check_versions("http://h", server, "5.0.3")
    with pytest.raises(ServerError, match=r"pip install .*'cryosparc-tools~=4.7.0'"):
        check_versions("http://h", "v4.7.1+240807", "5.0.3")
    with pytest.raises(ServerError, match=r"~=5.1.0"):
        check_versions("http://h", "v5.1.0", "5.0.3")


#: (server, client, what is said, what is not): PyPI has cryosparc-tools 4.0 to 4.7 and 5.0.
DIFFER = [
    ("v4.7.1", "5.0.3", "pip install --force-reinstall 'cryosparc-tools~=4.7.0'", "--ignore"),
    ("v5.0.0", "4.7.1", "pip install --force-reinstall 'cryosparc-tools~=5.0.0'", "if there is"),
    ("v5.1.2", "5.0.3", "'cryosparc-tools~=5.1.0'  if there is one of 5.1; else", "4.7"),
    ("v5.1.2", "5.0.3", "go on as it is with --ignore-version", "4.7"),
    ("v6.0.0", "5.0.3", "~=6.0.0'  if there is one of 6.0", "--ignore"),
    ("v4.6.2", "5.0.3", "expected CryoSPARC 4.7 or 5", "pip install"),
]


@pytest.mark.parametrize(("server", "tools", "said", "not_said"), DIFFER)
def test_a_remedy_for_another_version_that_can_be_had(server, tools, said, not_said):
    with pytest.raises(ServerError) as caught:
        check_versions("http://h", server, tools)
    assert said in str(caught.value) and not_said not in str(caught.value)


def test_another_version_can_be_ignored(caplog):
    check_versions("http://h", "v5.1.2", "5.0.3", ignore=True)
    assert "is v5.1.2 and cryosparc-tools here is 5.0.3; going on all the same" in caplog.text


def test_secrets_are_never_shown():
    secret = Credentials("me@here", "pass-word", "licence-1234")
    assert "pass" not in repr(secret) and "me@here" not in repr(secret)
    from hashlib import sha256

    digest = sha256(b"pass-word").hexdigest()
    text = secret.hide(f"x pass-word y {digest} z licence-1234 Authorization: Bearer abc.def")
    assert text == "x *** y *** z *** Authorization: Bearer ***"


class Answer(ValueError):
    def __init__(self, code, data=None):
        super().__init__("*** [API] (POST http://h/x?error=long, code 422) no\nmore")
        self.code, self.data = code, data


def test_what_the_server_said():
    assert detail(Answer(422, {"detail": "Invalid\n  dataset"})) == "Invalid dataset"
    assert detail(Answer(422, {"detail": {"slots": ["x"]}})) == '{"slots": ["x"]}'
    assert detail(Answer(500)).endswith("no")
    assert len(detail(Answer(422, {"detail": "x" * 10**6}))) == 1500
    assert cut("abcdefgh", 6) == "ab ..." and cut("abc", 6) == "abc"


def test_what_may_succeed_later():
    httpx = pytest.importorskip("httpx")
    for error in (
        Answer(500),
        Answer(503),
        Answer(401),
        ConnectionResetError(),
        TimeoutError(),
        httpx.ConnectError("no"),
        httpx.ReadTimeout("no"),
        UserWarning("*** API client POST /x failed due to"),
    ):
        assert is_transient(error), error
    for error in (Answer(404), Answer(422), ValueError("x"), httpx.InvalidURL("long"), KeyError()):
        assert not is_transient(error), error


def test_resume_command():
    request = JobRequest(PICK, "P1", again="frostpick cryosparc pick --project P1")
    assert request.resume_command("J7") == "frostpick cryosparc pick --project P1 --job J7"
    plain = JobRequest(TRAIN, "P2")
    assert plain.resume_command("J8") == "frostpick cryosparc train --project P2 --job J8"


def test_all_rows_but_those_of_another_input_are_no_output_to_connect():
    request = JobRequest(PRUNE, "P1", inputs={"labels": (OutputRef("J9", "x"),), "bad": ("rest",)})
    assert request.is_rest("bad") and not request.is_rest("labels")
    assert request.outputs_for("bad") == () and len(request.outputs_for("labels")) == 1
    # nothing on the server tells it, so the command must
    assert request.resume_command("J8") == (
        "frostpick cryosparc prune --project P1 --bad rest --job J8"
    )


def test_inputs_of_a_request_are_those_of_its_task():
    made = JobRequest(PICK, "P1", inputs={"micrographs": ("J10.exposures",)})
    assert made.outputs_for("micrographs") == (OutputRef("J10", "exposures"),)
    with pytest.raises(ConfigError, match="pick has no input 'particles' in CryoSPARC; it has: mi"):
        JobRequest(PICK, "P1", inputs={"particles": ("J10.particles",)})
    with pytest.raises(ConfigError, match="prune has no input 'picks' in CryoSPARC"):
        JobRequest(PRUNE, "P1", inputs={"picks": ("J10.particles",)})
    for name in ("micrographs", "labels"):  # the word has no meaning there
        with pytest.raises(ConfigError, match=f"--{name} 'rest': expected a job and one of its"):
            JobRequest(PRUNE, "P1", inputs={name: ("rest",)})


def test_inputs_by_their_kinds():
    def told(task):
        return [(one.spec.name, one.type, one.name, one.title) for one in ports(task)]

    micrographs = ("micrographs", "exposure", "micrographs", "Micrographs")
    assert told(PICK) == [micrographs]
    learned = ("particle", "particles", "Particles to learn from")
    assert told(TRAIN) == [micrographs, ("labels", *learned)]
    assert told(FEWSHOT) == [micrographs, ("labels", *learned)]
    # picks are particles with micrographs here
    assert told(PRUNE) == [
        micrographs,
        ("particles", "particle", "particles", "Particles to prune"),
        ("labels", "particle", "particles_good", "Known particles"),
        ("bad", "particle", "particles_bad", "Known non-particles"),
    ]


def test_what_names_an_output_before_it_is_there():
    assert [reference(FEWSHOT, "J5", name) for name in ("picks", "model", "report")] == [
        "J5.particles",
        "J5",
        "J5/frostpick.json",
    ]
    assert [reference(PRUNE, "J6", name) for name in ("kept", "pruner")] == [
        "J6.particles_kept",
        "J6",
    ]
    assert reference(VERIFY, "J7", "verified") == "J7.particles_verified"
    with pytest.raises(KeyError):
        reference(PICK, "J5", "model")


def test_spool_folder_keeps_servers_and_jobs_apart():
    base = Path("/s")
    one = spool_folder("http://a:39000", "P1", "J2", base)
    assert one == Path("/s/cryosparc/a_39000/P1-J2")
    others = [
        spool_folder("http://b:39000", "P1", "J2", base),
        spool_folder("http://a:39001", "P1", "J2", base),
        spool_folder("http://a:39000", "P1", "J3", base),
    ]
    assert len({one, *others}) == 4


def test_selftest_answers_carry_no_site():
    answers = {
        "a": "http://cs.lab.edu:39000/x said no to me@lab.edu",
        "b": ["/data/lab/CS-project/J1/x.mrc missing", 3, None],
        "c": "J1/imported/x.mrc and 1/2 stay",
    }
    assert redact(answers) == {
        "a": "<url> said no to <email>",
        "b": ["<path> missing", 3, None],
        "c": "J1/imported/x.mrc and 1/2 stay",
    }


def test_summary_texts():
    assert table([("a", "1"), ("long", "2")]) == "a     1\nlong  2"
    assert listed("none", []) == "none: 0"
    lines = listed("many", [f"m{n}" for n in range(25)]).splitlines()
    assert len(lines) == 22 and lines[-1] == "... and 5 more"


class Events:
    def __init__(self):
        self.texts, self.plots = [], []

    def text(self, text, level="text", name=None):
        self.texts.append((text, name))

    def plot(self, png, caption):
        self.plots.append(caption)


class Terminal:
    def __getattr__(self, name):
        return lambda *a, **k: None


def test_one_progress_line_a_stage_with_time_left():
    now = [0.0]
    events = Events()
    reporter = CryoSPARCReporter(Terminal(), seconds=2.0, clock=lambda: now[0])
    reporter.attach(events)
    reporter.stage("picking", 100)
    for _ in range(100):
        now[0] += 0.1
        reporter.advance(1, picks=3.0)
    assert {name for _, name in events.texts} == {"progress picking"}
    assert len(events.texts) <= 7
    assert events.texts[1][0] == "picking: 21 of 100, 0:00:08 left, picks 3"
    assert events.texts[-1][0] == "picking: 100 of 100, picks 3"
    reporter.figure("x", b"", "a.mrc: 5 picks")
    reporter.figure("x", b"", "")
    assert events.plots == ["a.mrc: 5 picks", "x"]


def test_event_log_joins_lines_and_keeps_the_last_of_a_name(monkeypatch):
    pytest.importorskip("cryosparc")
    from frostpick_jobs.hosts.cryosparc.server.event_log import EventLog, EventLogHandler

    sent, asked, all_said = [], threading.Event(), threading.Event()

    def log(text, *, level="text", name=None):
        asked.set()
        assert all_said.wait(LONG)
        sent.append((text, level, name))

    job = SimpleNamespace(controller=SimpleNamespace(log=log))
    events = EventLog(job, seconds=0.05)
    logger = logging.getLogger("frostpick.for_this_test")
    handler = EventLogHandler(events)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        events.text("begun")
        assert asked.wait(LONG)  # the rest comes while the first is being sent
        for n in range(50):
            logger.info("line %d", n)
            events.text(f"step {n}", name="progress")
        logger.warning("careful")
        logger.debug("not this")
        events.text("x" * 100_000)
    finally:
        all_said.set()
        logger.removeHandler(handler)
        events.close(LONG)
    assert len(sent) == 5 and sent[0] == ("begun", "text", None)
    joined = "\n".join(text for text, _, name in sent if name is None)
    assert [line for line in joined.splitlines() if line.startswith("line")] == [
        f"line {n}" for n in range(50)
    ]
    assert ("careful", "warning", None) in sent
    assert [text for text, _, name in sent if name][-1] == "step 49"
    assert max(len(text) for text, _, _ in sent) <= 8000


def test_event_log_survives_a_silent_server():
    pytest.importorskip("cryosparc")
    from frostpick_jobs.hosts.cryosparc.server.event_log import EventLog

    def log(text, **others):
        raise ConnectionError("gone")

    events = EventLog(SimpleNamespace(controller=SimpleNamespace(log=log)), seconds=0.01)
    for n in range(20):
        events.text(str(n), level=("text", "warning")[n % 2])
    events.close()
    assert events._lost > 0


@pytest.mark.parametrize("waiting", [1, 10_000])
def test_an_event_log_is_waited_for_in_vain_once(waiting):
    pytest.importorskip("cryosparc")
    from frostpick_jobs.hosts.cryosparc.server.event_log import EventLog

    answered, asked = threading.Event(), threading.Event()

    def log(text, **others):
        asked.set()
        answered.wait()

    events = EventLog(SimpleNamespace(controller=SimpleNamespace(log=log)), seconds=0.0)
    try:
        events.text("first")
        assert asked.wait(LONG)
        for n in range(waiting):
            events.text(str(n))
        events.close(0.1)
        again = threading.Thread(target=events.close, args=(3600.0,), daemon=True)
        again.start()
        again.join(LONG)
        assert not again.is_alive()
    finally:
        answered.set()


def test_dangling_links_name_their_target(tmp_path):
    from frostpick_jobs.hosts.cryosparc.read.sources import ProjectFile

    (tmp_path / "a.mrc").symlink_to(tmp_path / "raw" / "a.mrc")
    source = ProjectFile(tmp_path, "a.mrc")
    for ask in (source.fetch, source.fingerprint):
        with pytest.raises(FileNotFoundError, match=r"a.mrc is a link to .*raw/a.mrc"):
            ask()
    with pytest.raises(FileNotFoundError, match="does not exist"):
        ProjectFile(tmp_path, "b.mrc").fetch()
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.mrc").write_bytes(b"x" * 10)
    with source.fetch() as path:
        assert path.read_bytes() == b"x" * 10
    assert source.fingerprint().startswith("10:")


def test_description_has_parameters_and_citation():
    from frostpick.settings import FewshotSettings, PickSettings
    from frostpick_jobs.hosts.cryosparc.run import describe

    text = describe(JobRequest(PICK, "P1"), PickSettings(diameter=120.0), {})
    assert "| diameter | 120.0 |" in text and "Nat. Methods" in text and "| image |" in text
    told = describe(JobRequest(PICK, "P1"), PickSettings(), {"model": "abc", "pruner": "def"})
    assert "| model digest | abc |\n| pruner digest | def |\n" in told
    few = describe(JobRequest(FEWSHOT, "P1"), FewshotSettings(steps=20), {})
    assert "| steps | 20 |" in few and "| encoder |" not in few  # not set
    assert np.all([line.startswith("|") for line in text.splitlines()[2:-2]])


def test_the_selftest_reads_a_register_whose_slots_are_names():
    from frostpick_jobs.hosts.cryosparc.selftest import specification

    described = SimpleNamespace(name="ctf", dtype="ctf", required=True)
    one = SimpleNamespace(type="exposure", slots=["micrograph_blob", described])
    none = SimpleNamespace(root={})
    spec = SimpleNamespace(inputs=SimpleNamespace(root={"micrographs": one}), outputs=none)
    found = specification(spec, with_parameters=False)["inputs"]["micrographs"]["slots"]
    assert found == ["micrograph_blob", "ctf (ctf, required)"]
