"""What is wrong is said in one sentence before anything is created; files that cannot be had."""

import os
import pickle  # noqa: TID251
import re
import subprocess
import sys
import threading

import numpy as np
import pytest
from waits import LONG

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

from cryosparc_project import DIAMETER_A, LOGIN, ROOT, command, project, requested
from csemu.seed import complete, write_output
from csemu.store import Options, Refused

from frostpick.errors import ConfigError, DeviceError, FrostpickError
from frostpick.settings import PickSettings
from frostpick_jobs.hosts.cryosparc import run
from frostpick_jobs.hosts.cryosparc.read import sources
from frostpick_jobs.hosts.cryosparc.run import Tempo
from frostpick_jobs.hosts.cryosparc.server.connect import RetryPolicy, connect
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.tasks.pick import finish

pytestmark = pytest.mark.cryosparc

TEMPO = Tempo(poll=0.1, events=0.02)
ONE = ((200, 320),)


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch):
    monkeypatch.setattr(finish, "pick_figures", lambda *a: [])


def pick(p, micrographs=("J2.exposures",), settings=None, **request):
    where = {} if "job" in request else {"workspace": "W1"}
    refs = tuple(OutputRef(*m.split(".")) for m in micrographs)
    asked = requested(
        "pick", request.pop("project", p.uid), micrographs=refs, **{**where, **request}
    )
    options = {
        "model": "blob",
        "diameter": DIAMETER_A,
        "threads": 1,
        "device": "cpu",
        **(settings or {}),
    }
    code = run.run_task_for_exit_code(
        p.connect(), asked, PickSettings(**options), spool=p.root / "spool", tempo=TEMPO
    )
    return code, p.latest()


def building(p):
    p.store.create_job(p.uid, "W1", "inspect_picks_v2")


def without_blob(p):
    rows = p.store.load_output(p.uid, "J2", "exposures", "all").filter_prefixes(["ctf"], copy=True)
    job = p.store.create_job(p.uid, "W1", "patch_ctf_estimation_multi")
    write_output(p.store, job, "exposures", "exposure", rows, [("ctf", "ctf")])
    complete(p.store, job)


def overlap(p):
    rows = p.store.load_output(p.uid, "J2", "exposures", "all").slice(0, 1)
    job = p.store.create_job(p.uid, "W1", "patch_ctf_estimation_multi")
    slots = [("micrograph_blob",) * 2, ("mscope_params",) * 2]
    write_output(p.store, job, "exposures", "exposure", rows, slots)
    complete(p.store, job)


def external(p):
    p.store.create_job(p.uid, "W1", "snowflake")


def completed(p):
    p.store.create_job(p.uid, "W1", "snowflake").status = "completed"


WRONG = {
    "no project": (None, {"project": "P9"}, "there is no project P9 on http"),
    "no workspace": (None, {"workspace": "W9"}, "there is no workspace P1-W9 on http"),
    "no job": (None, {"micrographs": ["J99.exposures"]}, "there is no job P1-J99"),
    "no output": (
        None,
        {"micrographs": ["J2.exposure"]},
        "J2 .* has no output 'exposure', it has: exposures; did you mean J2.exposures",
    ),
    "wrong type": (None, {"micrographs": ["J3.particles"]}, "J3.particles holds particle, exp"),
    "building": (building, {"micrographs": ["J4.micrographs"]}, "no data yet .J4 is building"),
    "no slot": (
        without_blob,
        {"micrographs": ["J4.exposures"]},
        "J4.exposures has no slot 'micrograph_blob' with data; it has: ctf",
    ),
    "no such image": (None, {"image_slot": "denoised"}, "has no slot 'denoised' with data"),
    "twice": (overlap, {"micrographs": ["J2.exposures", "J4.exposures"]}, "exposure .* twice"),
    "no micrographs": (None, {"micrographs": []}, "give them with --micrographs"),
    "not external": (None, {"job": "J3"}, "J3 is a manual_picker job; --job takes an External"),
    "completed": (completed, {"job": "J4"}, "J4 is completed; clear it"),
    "nothing connected": (external, {"job": "J4", "micrographs": []}, "J4 has no micrographs conn"),
    "no model": (None, {"settings": {"model": "J3"}}, "P1-J3 has no model/model.safetensors"),
    "unknown model": (None, {"settings": {"model": "none"}}, "neither a file, a folder nor"),
    "no diameter": (None, {"settings": {"diameter": None}}, "give --diameter"),
    "no threshold": (None, {"settings": {"threshold": "much"}}, "threshold"),
}


def test_each_wrong_input_is_one_sentence_and_creates_nothing(tmp_path):
    for name, (prepare, request, sentence) in WRONG.items():
        with project(tmp_path / name.replace(" ", "_"), shapes=ONE) as p:
            if prepare is not None:
                prepare(p)
            before = {j: one.model_dump_json() for j, one in p.store.jobs.items()}
            p.store.requests.clear()
            with pytest.raises(FrostpickError, match=sentence) as caught:
                pick(p, **request)
            assert "\n" not in str(caught.value) and len(str(caught.value)) < 400, name
            assert {j: one.model_dump_json() for j, one in p.store.jobs.items()} == before, name
            writes = {m for m, path, _ in p.store.requests if not path.endswith("/login")}
            assert writes == {"GET"}, name


def test_a_gpu_that_is_not_there_creates_nothing(tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with project(tmp_path, shapes=ONE) as p:
        with pytest.raises(DeviceError):
            pick(p, settings={"device": "cuda"})
        assert len(p.store.jobs) == 3


@pytest.mark.parametrize("told", ["v4.7.1", "v5.1.0"])
def test_another_version_is_refused_with_the_pin(tmp_path, told):
    with project(tmp_path, Options(version=told), shapes=ONE) as p:
        pin = f"cryosparc-tools~={told[1:4]}.0"
        with pytest.raises(FrostpickError, match=f"is {told} .*pip install .*{pin}"):
            p.connect()


def test_login(tmp_path, monkeypatch):
    with project(tmp_path, shapes=ONE) as p:
        with pytest.raises(FrostpickError, match=r"cannot connect to .* 401") as caught:
            connect(p.url, environ={**LOGIN, "CRYOSPARC_PASSWORD": "hush-hush"})
        assert "hush" not in str(caught.value)
        assert "refuses the e-mail or the password; set CRYOSPARC_EMAIL" in str(caught.value)
        with pytest.raises(ServerError, match=r"no login for .*cryosparc.tools login --url"):
            connect(p.url, environ={})
        with pytest.raises(ConfigError, match="which CryoSPARC"):
            connect(None, environ={})
        with pytest.raises(FrostpickError, match=r"cannot connect to http://127.0.0.1:9 .*4\.7"):
            connect("http://127.0.0.1:9", environ=LOGIN)
        # Host and port from the environment; and both together with an URL are no clash.
        host, port = p.url.removeprefix("http://").split(":")
        address = {"CRYOSPARC_MASTER_HOSTNAME": host, "CRYOSPARC_BASE_PORT": port}
        for url in (None, p.url + "/"):
            server = connect(url, environ={**LOGIN, **address})
            assert server.url == p.url and "secret" not in repr(vars(server))
            server.close()


def test_a_saved_token_logs_in_without_a_password(tmp_path):
    """The client's own login command saves the token; ours only uses it."""
    with project(tmp_path, shapes=ONE) as p:
        save = """
import sys
from datetime import datetime, timedelta, timezone
from cryosparc.auth import InstanceAuthSessions
from cryosparc.models.auth import Token
url, token = sys.argv[1:]
saved = InstanceAuthSessions({})
until = datetime.now(timezone.utc) + timedelta(days=1)
saved.insert(url, "picker@example.com", Token(access_token=token, token_type="bearer"), until)
saved.save()
"""
        p.connect()
        token = list(p.store.tokens)[-1]
        home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
        clean = {n: v for n, v in os.environ.items() if not n.startswith("CRYOSPARC_")}
        saving = [sys.executable, "-c", save, p.url, token]
        subprocess.run(saving, env={**clean, **home}, check=True)
        none = {"CRYOSPARC_EMAIL": "", "CRYOSPARC_PASSWORD": ""}
        asked = command(p, "login-check", **home, **none)
        said = asked.communicate()[0]
        assert asked.returncode == 0 and "logged in" in said
        assert token not in said
        assert "CryoSPARC v5.0.3" in said
        refused = command(
            p, "login-check", **none, HOME=str(tmp_path / "nobody"), XDG_CONFIG_HOME=""
        )
        assert refused.wait() == 1 and "cryosparc.tools login" in refused.communicate()[0]


def test_dangling_links_cost_themselves_only(tmp_path):
    shapes = ((200, 320),) * 4
    with project(tmp_path, shapes=shapes) as p:
        os.unlink(p.truth[1][0])
        folder = p.store.pdir(p.uid) / "J1" / "imported"
        missing = sorted(folder.iterdir())
        broken = next(f for f in missing if f.name.endswith("mic_002.mrc"))
        broken.unlink()
        code, job = pick(p)
        assert code == 0
        text = "\n".join(p.texts(job))
        assert "mic_001.mrc" in text and "is a link to" in text and "mount that disk here" in text
        assert "mic_002.mrc" in text and "does not exist" in text
        assert "micrographs that failed     2" in text
        kept = p.store.load_output(p.uid, job, "micrographs", ["micrograph_blob"])
        assert len(kept) == 2


def test_downloads_are_bounded_deleted_and_refusals_skipped(tmp_path, monkeypatch):
    with project(tmp_path, Options(remote_paths=True), shapes=((200, 320),) * 4) as p:
        real = p.store.path

        def path(project, rel, inside=True):
            if "mic_003" in str(rel):
                raise Refused(422, f"Invalid file path {rel}: must be in project directory")
            return real(project, rel, inside)

        monkeypatch.setattr(p.store, "path", path)
        now, most, lock = set(), [0], threading.Lock()
        get = sources.Downloader.download

        def counted(self, path, target):
            with lock:
                now.add(path)
                most[0] = max(most[0], len(now))
            get(self, path, target)
            with lock:
                now.discard(path)

        monkeypatch.setattr(sources.Downloader, "download", counted)
        code, job = pick(p)
        assert code == 0 and most[0] <= sources.MOST_AT_ONCE
        text = "\n".join(p.texts(job))
        assert "is not mounted here: micrographs are downloaded" in text
        assert "mic_003.mrc" in text and "run where the project is mounted" in text
        assert "micrographs that failed     1" in text
        assert not list(tmp_path.rglob("get-*"))
        server = p.connect()
        source = sources.RemoteFile(sources.Downloader(server, p.uid, tmp_path / "x"), "J1/a", 3)
        again = pickle.loads(pickle.dumps(source))  # noqa: S301
        assert again.fingerprint() == "J1/a:3" and b"secret" not in pickle.dumps(source)


def test_the_client_really_sends_an_empty_body_when_it_repeats_an_upload():
    """What `upload` guards against; when this fails, the guard may be relaxed."""
    import io
    import socket
    import warnings

    import httpx
    from cryosparc.api import APINamespace
    from cryosparc.stream import Stream

    lengths = []

    def serve(listener):
        for attempt in range(2):
            connection, _ = listener.accept()
            connection.settimeout(LONG)
            data = b""
            try:
                while more := connection.recv(65536):
                    data += more
                    if data.endswith(b"0\r\n\r\n"):
                        break
            except TimeoutError:
                pass
            lengths.append(len(data.split(b"\r\n\r\n", 1)[1]))
            if attempt:
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                connection.sendall(head + b'Content-Length: 4\r\n\r\n"ok"')
            connection.close()

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(2)
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        text = {"200": {"content": {"application/json": {"schema": {"type": "string"}}}}}
        binary = {"application/octet-stream": {"schema": {"title": "Stream"}}}
        schema = {"summary": "u", "requestBody": {"content": binary}, "responses": text}
        with httpx.Client(base_url=url) as client, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = Stream.load(io.BytesIO(b"A" * 5000))
            # The client builds its public methods of this one, from what a server says of itself.
            assert APINamespace(client)._call("post", "/x", schema, body) == "ok"  # noqa: SLF001
        thread.join()
    assert lengths[0] >= 5000 and lengths[1] < 10


def test_the_commands_help_and_usage(tmp_path):
    for words, expected in (
        (["pick", "--help"], "--min-distance"),
        (["train", "--help"], "--labels"),
    ):
        path = os.pathsep.join(str(ROOT / name) for name in ("plugin", "external_job"))
        said = subprocess.run(
            [sys.executable, "-m", "frostpick_jobs.cli.main", "cryosparc", *words],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200"},
        )
        plain = re.sub(r"\x1b\[[0-9;]*m", "", said.stdout)
        assert said.returncode == 0 and expected in plain and "password" not in plain.lower()


def test_patience_ends(tmp_path, monkeypatch):
    with project(tmp_path, shapes=ONE) as p:
        server = connect(p.url, environ=LOGIN, patience=RetryPolicy(0.3, 0.05))

        def down():
            raise ConnectionError("no route")

        with pytest.raises(FrostpickError, match="save it: no route"):
            server.call("save it", down)
        server.close()


def test_a_first_look_at_ten_thousand_exposures(tmp_path):
    with project(tmp_path, shapes=ONE) as p:
        rows = p.store.load_output(p.uid, "J2", "exposures", "all")
        many = rows.take(np.zeros(10_000, int))
        many["uid"] = np.arange(1, 10_001, dtype=np.uint64)
        job = p.store.create_job(p.uid, "W1", "patch_ctf_estimation_multi")
        slots = [("micrograph_blob",) * 2, ("mscope_params",) * 2, ("ctf",) * 2]
        write_output(p.store, job, "exposures", "exposure", many, slots)
        complete(p.store, job)
        code, made = pick(p, micrographs=[f"{job.uid}.exposures"], settings={"max_micrographs": 2})
        assert code == 0
        assert p.job(made).spec.outputs.root["micrographs"].num_items == 2
