"""A home without room: results on the way are in the project's folder, and a resume finds them."""

import pytest

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

from cryosparc_project import DIAMETER_A, project, requested

from frostpick.errors import JobStopped
from frostpick.settings import PickSettings
from frostpick_jobs.hosts.cryosparc import run, spool
from frostpick_jobs.hosts.cryosparc.run import Tempo
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.tasks.pick import finish, not_yet_picked

pytestmark = [
    pytest.mark.cryosparc,
    pytest.mark.filterwarnings("ignore:.*API client.*:UserWarning"),
]


def test_stopped_and_resumed_in_the_project_folder(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(finish, "pick_figures", lambda *a: [])
    monkeypatch.delenv("FROSTPICK_SPOOL", raising=False)
    home = tmp_path / "state" / "frostpick"
    monkeypatch.setenv("XDG_STATE_HOME", str(home.parent))
    real_room, real_keep = spool.why_no_room, not_yet_picked.keep
    monkeypatch.setattr(
        spool,
        "why_no_room",
        lambda folder: "no space left" if folder == home else real_room(folder),
    )
    kept, stop_at = [], [1]

    def keep(*arguments):
        real_keep(*arguments)
        kept.append(arguments[2].micrograph_id)
        if len(kept) == stop_at[0]:
            raise JobStopped("enough")

    monkeypatch.setattr(not_yet_picked, "keep", keep)

    def pick(p, **where):
        given = (OutputRef("J2", "exposures"),)
        asked = requested("pick", p.uid, micrographs=given, **where)
        settings = PickSettings(model="blob", diameter=DIAMETER_A, threads=1, device="cpu")
        tempo = Tempo(poll=0.05, events=0.02)
        return run.run_task_for_exit_code(p.connect(), asked, settings, tempo=tempo)

    with project(tmp_path, shapes=((200, 320), (320, 200))) as p:
        assert pick(p, workspace="W1") == 130
        (place,) = tmp_path.rglob(f"{p.uid}-{p.latest()}")
        of_project = place.parents[2]
        assert of_project.name == ".frostpick" and (of_project.parent / p.latest()).is_dir()
        assert f"{home}: no space left; results on the way are kept in" in caplog.text
        assert len(list((place / "picks").glob("*.npz"))) == 1 and not home.exists()
        stop_at[0] = 0
        assert pick(p, job=p.latest()) == 0
        assert len(kept) == len(set(kept)) == 2
        assert not place.exists() and p.job(p.latest()).status == "completed"
