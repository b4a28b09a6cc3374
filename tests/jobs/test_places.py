"""What a job's user is told of coordinates that do not fit the images, on every host."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from made_images import draw_discs, noise, write_mrc

from frostpick.errors import ConfigError, InputError, LabelError, spelled, worded
from frostpick.runtime.reporter import SilentReporter
from frostpick.runtime.run_record import RunRecord
from frostpick.settings import (
    FewshotSettings,
    IterateSettings,
    PruneSettings,
    TrainSettings,
    VerifySettings,
)
from frostpick.types import Labels, LocalFile, Micrograph, Picks
from frostpick_jobs.formats import PickTable
from frostpick_jobs.hosts.folder import FolderHost
from frostpick_jobs.inputs.label_matching import labels_for
from frostpick_jobs.inputs.prune_inputs import PruneInputs
from frostpick_jobs.inputs.rows import pick_rows
from frostpick_jobs.job.outputs import Report
from frostpick_jobs.job.report import job_report
from frostpick_jobs.job.spelling import in_relion, spelling
from frostpick_jobs.tasks.declarations import task_named
from frostpick_jobs.tasks.places import check_places, look_at

SHAPE, PIXEL_A, DIAMETER_A = (160, 240), 2.0, 32.0
NAMES = ("a.mrc", "b.mrc", "c.mrc")


def places(number: int) -> np.ndarray:
    """Return ``(18, 2)`` x and y, in the upper two thirds, in no symmetry."""
    rng = np.random.default_rng([number, 3])
    column = np.tile(np.arange(20, 230, 36), 3)
    return np.column_stack([column, np.repeat([18, 50, 82], 6)]) + rng.uniform(-8, 8, (18, 2))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Micrograph]:
    folder, found = tmp_path_factory.mktemp("images"), []
    for number, name in enumerate(NAMES):
        image = noise(SHAPE, number).astype(np.float32)
        draw_discs(image, places(number), 1.0, 8)
        write_mrc(folder / name, image, PIXEL_A)
        found.append(Micrograph(name, LocalFile(folder / name), PIXEL_A, SHAPE))
    return found


def host(name: str = "folder", flip_y: bool | None = None) -> Any:
    fractions = name == "cryosparc"
    return SimpleNamespace(name=name, reporter=SilentReporter(), flip_y=flip_y, fractions=fractions)


def check(
    images: Sequence[Micrograph],
    change: Any = lambda xy: xy,
    settings: Any = None,
    what: str = "picks",
    **of_host: Any,
) -> list[str]:
    """Return the warnings in a record, as the host spells them."""
    settings = settings or VerifySettings(diameter=DIAMETER_A)
    record, one = RunRecord("verify", "folder", {}), host(**of_host)
    given = {}
    for n, micrograph in enumerate(images):
        xy = change(places(n))
        given[micrograph.id] = Picks.from_xy(micrograph.id, xy[:, 0], xy[:, 1])
    check_places(one, record, images, given, settings, diameter_A=DIAMETER_A, what=what)
    return [spelled(text, spelling(one.name)) for text in record.finished().get("warnings", [])]


def upside_down(xy: np.ndarray) -> np.ndarray:
    return np.column_stack([xy[:, 0], SHAPE[0] - 1 - xy[:, 1]])


def exchanged(xy: np.ndarray) -> np.ndarray:
    return xy[:, ::-1]


@pytest.mark.parametrize(
    ("change", "of_host", "told"),
    [
        (upside_down, {}, "upside down .* write y as rows - 1 - y in their file"),
        (upside_down, {"name": "cryosparc", "flip_y": False}, "if so, repeat with --flip-y"),
        (upside_down, {"name": "cryosparc", "flip_y": True}, "leave out --flip-y"),
        (exchanged, {}, "with x and y exchanged .* exchange the two columns of their file"),
        (exchanged, {"name": "relion"}, "exchange the two columns of their file"),
        (exchanged, {"name": "cryosparc"}, "exchange the two columns where they were imported"),
        (lambda xy: xy / 4, {}, "binned by 4 .* give their pixel size as --picks-pixel-size 8$"),
        (lambda xy: xy / 2, {"name": "relion"}, "binned by 2 .* label picks_pixel_size = 4$"),
        (lambda xy: xy / 2, {"name": "cryosparc"}, "import them with the micrographs"),
    ],
)
def test_what_would_fit_and_how(images, caplog, change, of_host, told: str) -> None:
    (warning,) = check(images, change, **of_host)
    assert len(warning) < 300
    import re

    assert re.search(told, warning), warning
    (line,) = [one for one in caplog.records if one.levelname == "WARNING"]
    assert spelled(worded(line), spelling(of_host.get("name", "folder"))) == warning


def test_what_fits_is_said_in_one_quiet_line(images, caplog) -> None:
    with caplog.at_level(logging.INFO):
        assert check(images) == []
    (line,) = caplog.messages
    assert line.startswith(
        "coordinates and images belong together: looked at 18 picks on 1 micrograph, "
    )


def test_a_pixel_size_that_was_given_is_counted(images) -> None:
    """Of positions that are in the micrographs' own pixels, and of some in others."""

    def asked(size: float) -> Any:
        return VerifySettings(diameter=DIAMETER_A, picks_pixel_size=size)

    (warning,) = check(images, lambda xy: xy / 2, asked(1.0))  # read as of 1 A, are of 2 A
    assert warning.endswith("leave out --picks-pixel-size")
    (warning,) = check(images, lambda xy: xy / 2, asked(3.0))
    assert warning.endswith("--picks-pixel-size 6")


def test_most_positions_outside_are_refused(images) -> None:
    with pytest.raises(InputError, match=r"lie outside .* smaller.*--picks-pixel-size 0\.5$"):
        check(images, lambda xy: xy * 4)
    with pytest.raises(InputError, match=r"54 of the 54 .* another size, give their pixel size"):
        check(images, lambda xy: xy + 1000)


def flat(count: int) -> Labels:
    """Return ``count`` labels without particles, in the first 48 % of the image."""
    x, y = np.arange(count) * 115.0 / count, np.arange(count) * 60.0 / count
    return Labels.from_xy("flat.mrc", x, y)


@pytest.mark.parametrize(
    ("count", "asked", "told"), [(24, None, True), (12, None, False), (24, 4.0, False)]
)
def test_labels_in_one_corner_ask_for_their_pixel_size(tmp_path, caplog, count, asked, told):
    """Also where the images cannot tell."""
    write_mrc(tmp_path / "flat.mrc", noise(SHAPE, 9).astype(np.float32), PIXEL_A)
    micrograph = Micrograph("flat.mrc", LocalFile(tmp_path / "flat.mrc"))
    settings = TrainSettings(diameter=DIAMETER_A, picks_pixel_size=asked)
    labels = {"flat.mrc": flat(count)}
    record = RunRecord("train", "folder", {})
    check_places(
        host(), record, [micrograph], labels, settings, diameter_A=DIAMETER_A, what="labels"
    )
    assert ("first 46 % of the columns and rows; if they were picked on binned" in caplog.text) == (
        told
    )
    assert ("give their pixel size as --picks-pixel-size" in caplog.text) == told


@dataclass(frozen=True)
class Counted:
    """A file that must be fetched; counts how often it was."""

    path: Path
    fetched: list[str]

    @property
    def name(self) -> str:
        return self.path.name

    @contextmanager
    def fetch(self) -> Iterator[Path]:
        self.fetched.append(self.name)
        yield self.path

    def fingerprint(self) -> str:
        return self.name


def test_few_micrographs_are_read(images) -> None:
    fetched: list[str] = []
    far = [replace(one, source=Counted(one.source.path, fetched)) for one in images]
    many = [replace(far[n % 3], id=f"{n}.mrc") for n in range(60)]

    def given(change: Any) -> dict[str, Picks]:
        xy = [change(places(n % 3)) for n in range(60)]
        return {f"{n}.mrc": Picks.from_xy(f"{n}.mrc", *one.T) for n, one in enumerate(xy)}

    assert len(look_at(many, given(lambda xy: xy), DIAMETER_A)) == len(fetched) == 1
    fetched.clear()
    assert len(look_at(many, given(exchanged), DIAMETER_A)) == len(fetched) == 6
    near = [replace(images[n % 3], id=f"{n}.mrc") for n in range(60)]
    assert len(look_at(near, given(exchanged), DIAMETER_A)) == 8
    lost = [replace(one, source=LocalFile(Path("gone.mrc"))) for one in near]
    assert look_at(lost, given(exchanged), DIAMETER_A) == []


def test_labels_of_non_particles_are_not_looked_at(images) -> None:
    xy = places(0)
    sign = np.ones(18, np.int8)
    sign[5:] = -1
    labels = {"a.mrc": Labels.from_xy("a.mrc", *xy.T, sign=sign)}
    (looked,) = look_at(images, labels, DIAMETER_A)
    assert looked.xy.tolist() == xy[:5].tolist()


class Reached(Exception):
    """The check was asked."""


@pytest.mark.parametrize("task", ["train", "iterate", "fewshot", "prune", "verify"])
def test_every_task_with_coordinates_asks(images, tmp_path, monkeypatch, task: str) -> None:
    def asked(host: Any, record: Any, micrographs: Any, positions: Any, *_: Any, **given: Any):
        assert [one.id for one in micrographs] == list(NAMES)
        assert sum(len(one) for one in positions.values()) == 54
        assert given["diameter_A"] == DIAMETER_A
        raise Reached(given["what"])

    for module in ("training_inputs", "fewshot", "prune.run"):
        monkeypatch.setattr(f"frostpick_jobs.tasks.{module}.check_places", asked)
    rows = "".join(f"{n},{x:.2f},{y:.2f}\n" for k, n in enumerate(NAMES) for x, y in places(k))
    picks = tmp_path / "picks.csv"
    picks.write_text("micrograph,x_px,y_px\n" + rows)
    words = {"train": "labels", "iterate": "labels", "fewshot": "exemplars"}
    kinds = {
        "train": TrainSettings,
        "iterate": IterateSettings,
        "fewshot": FewshotSettings,
        "prune": PruneSettings,
        "verify": VerifySettings,
    }
    given = "labels" if task in words else "picks"
    folder = images[0].source.path.parent
    one = FolderHost(tmp_path / "out", {"micrographs": [folder], given: [picks]})
    with pytest.raises(Reached, match=words.get(task, "picks")):
        task_named(task).load_run()(one, kinds[task](diameter=DIAMETER_A, device="cpu"))


def test_a_report_shows_warnings_as_its_host_spells_them() -> None:
    record = RunRecord("verify", "relion", {})
    from frostpick.errors import Wording, option

    record.warn(Wording(f"give {option('picks_pixel_size', '8')}"))
    record.warn("and this")
    finished = record.finished()
    assert json.loads(json.dumps(finished))["warnings"] == [
        "give --picks-pixel-size 8",
        "and this",
    ]
    page = job_report("x", Report(finished), [], in_relion)
    assert "give label picks_pixel_size = 8" in page and "and this" in page


def test_most_labels_outside_are_refused() -> None:
    one = Micrograph("a.mrc", LocalFile(Path("a.mrc")), 2.0, (100, 200))

    def labels(*x: float) -> Any:
        xy = np.array(x), np.full(len(x), 5.0)
        return labels_for([PickTable(Path("p.csv"), "csv", ("a",) * len(x), *xy)], [one])

    with pytest.raises(LabelError, match=r"5 of 8 labels lie outside .* --picks-pixel-size"):
        labels(1, 2, 300, 301, 400, 500, 600, 3)
    with pytest.raises(LabelError, match="1 of 1 labels lie outside"):
        labels(300)
    assert len(labels(1, 300, 301)["a.mrc"]) == 1


def test_rows_to_prune_may_be_of_another_pixel_size(tmp_path: Path) -> None:
    one = Micrograph("a.mrc", LocalFile(Path("a.mrc")))
    picks = PickTable(
        Path("p.csv"), "csv", ("a", "gone", "a"), np.array([10.0, 5.0, 7.5]), np.array([20.0, 5, 4])
    )

    def known(micrograph: Micrograph) -> Micrograph:
        return replace(micrograph, pixel_size_A=2.0)

    rows = pick_rows([picks], [one], known, picks_pixel_size_A=8.0)
    assert rows.x_px.tolist() == [40.0, 5.0, 30.0] and rows.y_px.tolist() == [80.0, 5.0, 16.0]
    aligned = replace(picks, shift_A=np.array([[4.0, -8.0]] * 3))
    rows = pick_rows([aligned], [one], known, picks_pixel_size_A=8.0)
    assert rows.x_px.tolist()[0] == 38.0 and rows.y_px.tolist()[0] == 84.0
    with pytest.raises(LabelError, match="needs the pixel size of the micrograph"):
        pick_rows([picks], [one], picks_pixel_size_A=8.0)


def test_particles_have_images_and_no_other_pixel_size(tmp_path: Path) -> None:
    inputs = PruneInputs([], particles=tmp_path / "p.star", picks_pixel_size_A=8.0)
    with pytest.raises(ConfigError, match="--picks-pixel-size is for --picks"):
        inputs.input_rows()


def test_both_file_hosts_hand_the_pixel_size_on(images, tmp_path, monkeypatch) -> None:
    from frostpick_jobs.cli.relion_job import read_command_line
    from frostpick_jobs.hosts.relion.host import RelionHost

    folder = images[0].source.path.parent
    monkeypatch.chdir(folder)
    head = "data_\nloop_\n_rlnMicrographName\n"
    (tmp_path / "mics.star").write_text(head + "\n".join(NAMES) + "\n")
    picks = tmp_path / "picks.star"
    picks.write_text(head + "_rlnCoordinateX\n_rlnCoordinateY\nb.mrc 10 20\n")
    settings = PruneSettings(picks_pixel_size=6.0)
    one = FolderHost.for_settings(
        tmp_path / "out", {"micrographs": [folder], "picks": [picks]}, settings
    )
    task = task_named("prune")
    line = ["--o", "External/job002/", "--in_mics", str(tmp_path / "mics.star")]
    line += ["--in_coords", str(picks), "--picks_pixel_size", "6"]
    arguments, read = read_command_line(task, line)
    assert read.picks_pixel_size == 6.0  # type: ignore[attr-defined]
    other = RelionHost(arguments, task, picks_pixel_size_A=6.0)
    for host_of_files in (one, other):
        ((micrograph, found),) = host_of_files.input_rows().picks
        assert micrograph.id == "b.mrc"
        assert (found.x_px.tolist(), found.y_px.tolist()) == ([30.0], [60.0])


def test_relion_shows_warnings_in_its_pdf(tmp_path, monkeypatch) -> None:
    from frostpick.errors import Wording, option
    from frostpick_jobs.cli.relion_job import read_command_line
    from frostpick_jobs.hosts.relion.host import RelionHost

    monkeypatch.chdir(tmp_path)
    shown: list[str] = []
    monkeypatch.setattr(
        "frostpick.report.pdf.write_figures_pdf",
        lambda path, figures, warning: shown.append(warning),
    )
    task = task_named("verify")
    arguments, _ = read_command_line(task, ["--o", "External/job002/", "--in_parts", "p.star"])
    Path("External/job002").mkdir(parents=True)
    record = RunRecord("verify", "relion", {})
    record.warn(Wording(f"give {option('picks_pixel_size', '8')}"))
    RelionHost(arguments, task).deliver([Report(record.finished(), failed={"m.mrc": "gone"})])
    assert shown[0].startswith("give label picks_pixel_size = 8; ") and "m.mrc" in shown[0]
