import errno
import gc
import threading
import weakref
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_images import draw_discs, write_mrc
from waits import LONG

from frostpick.errors import ConfigError, JobStopped, MicrographError
from frostpick.models.shipped import shipped
from frostpick.picking import pick as pick_module
from frostpick.picking import work as work_module
from frostpick.picking.pick import (
    MicrographFailure,
    packing_limit,
    pick_image,
)
from frostpick.picking.plan import plan_picking, settle_contrast
from frostpick.picking.selector import Selector
from frostpick.picking.work import pick_micrographs
from frostpick.runtime.executors.base import Resources
from frostpick.runtime.executors.inline import InlineExecutor
from frostpick.runtime.read_ahead import read_ahead
from frostpick.runtime.reporter import SilentReporter
from frostpick.settings import PickSettings
from frostpick.types import LocalFile, Micrograph

MODEL = shipped("blob")
PIXEL, DIAMETER = 2.0, 120.0
SHAPE = (420, 460)


def make_image(seed, shape=SHAPE):
    """Six dark discs of 60 pixels on noise, and their centres (y, x)."""
    rng = np.random.default_rng(seed)
    image = rng.normal(20.0, 2.0, shape)
    centres = np.array([(y0, x0) for y0 in (90.0, 300.0) for x0 in (80.0, 220.0, 370.0)])
    centres += rng.uniform(-15, 15, centres.shape)
    draw_discs(image, centres[:, ::-1], 3.0, 30)
    return image.astype(np.float32), centres


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("micrographs")
    for seed in range(5):
        write_mrc(path / f"m{seed}.mrc", make_image(seed)[0], PIXEL)
    return path


def plan_for(**settings):
    plan = plan_picking(MODEL, PickSettings(diameter=DIAMETER, device="cpu", threads=1, **settings))
    return plan


def micrographs(folder):
    return [Micrograph(p.name, LocalFile(p)) for p in sorted(folder.glob("*.mrc"))]


def columns(found):
    return [(f.picks.x_px.tolist(), f.picks.y_px.tolist(), f.picks.score.tolist()) for f in found]


def test_contrast_is_the_models_unless_it_is_given():
    light = replace(MODEL, card=MODEL.card.model_copy(update={"contrast": "light"}))
    assert plan_picking(light, PickSettings(diameter=DIAMETER)).contrast == "light"
    assert plan_picking(light, PickSettings(diameter=DIAMETER, contrast="dark")).contrast == "dark"
    assert plan_for().contrast == "dark"


def test_a_header_that_disagrees_is_told_once(folder, caplog):
    plan = replace(plan_for(), pixel_size_A=PIXEL * 1.1)
    assert len(list(pick_micrographs(MODEL, micrographs(folder), plan, SilentReporter()))) == 5
    assert [r.levelname for r in caplog.records if "the header says" in r.message] == ["WARNING"]


@pytest.mark.parametrize("contrast,sign", [("dark", 1), ("light", -1)])
def test_discs_are_picked_where_they_are(contrast, sign):
    image, centres = make_image(3)
    found = pick_image(MODEL, sign * image, PIXEL, plan_for(contrast=contrast), "m")
    assert found.shape == SHAPE and found.pixel_size_A == PIXEL
    best = found.picks.keep(np.arange(6))
    distance = np.hypot(best.y_px[:, None] - centres[:, 0], best.x_px[:, None] - centres[:, 1])
    assert sorted(distance.argmin(1)) == [0, 1, 2, 3, 4, 5]
    assert distance.min(1).max() < 3.0
    assert (np.diff(found.picks.score) <= 0).all()
    assert (found.picks.probability >= 0.001).all()
    assert found.picks.diameter_A == DIAMETER


def test_no_pick_nearer_to_an_edge_than_the_border_allows():
    noise = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    model = replace(MODEL, card=MODEL.card.model_copy(update={"calibration": generous()}))
    everywhere = pick_image(model, noise, PIXEL, plan_for(), "m").picks
    picks = pick_image(model, noise, PIXEL, replace(plan_for(), border=0.4), "m").picks
    assert len(picks) > 10
    near = np.minimum(everywhere.x_px, everywhere.y_px).min()
    assert 0.0 <= near < 0.1 * DIAMETER / PIXEL
    edge = np.minimum.reduce(
        [picks.x_px, picks.y_px, SHAPE[1] - 1 - picks.x_px, SHAPE[0] - 1 - picks.y_px]
    )
    assert edge.min() + 0.5 >= 0.4 * DIAMETER / PIXEL


def test_what_a_selector_fills_stays_with_its_picks(monkeypatch):
    """A selector that numbers its peaks, and gives each its column as an angle."""
    found = Selector.peaks

    def numbered(self, *args, **others):
        peaks = found(self, *args, **others)
        return replace(peaks, filament=np.arange(1, len(peaks) + 1), angle_deg=peaks.x_px.copy())

    image, _ = make_image(3)
    plan = replace(plan_for(), border=0.5)
    plain = pick_image(MODEL, image, PIXEL, plan, "m").picks
    assert plain.filament is None and plain.angle_deg is None
    monkeypatch.setattr(Selector, "peaks", numbered)
    picks = pick_image(MODEL, image, PIXEL, plan, "m").picks
    np.testing.assert_array_equal(picks.score, plain.score)
    np.testing.assert_array_equal(picks.angle_deg, picks.x_px)
    # some numbers fell with the border; the rest are in the order of the scores
    assert picks.filament.dtype == np.int64 and picks.filament[-1] > len(picks)
    assert (np.diff(picks.filament) > 0).all()


def generous():
    return MODEL.card.calibration.model_copy(update={"slope": 0.01, "offset": 0.0})


def test_a_particle_cut_by_the_edge_takes_its_flank_with_it():
    """Suppression first, border after: nothing is picked beside a cut particle."""
    image, _ = make_image(1)
    image[:] = np.random.default_rng(1).normal(20.0, 0.5, SHAPE)
    draw_discs(image, (5, 200), 4.0, 30)
    plan = replace(plan_for(), min_distance_A=1.0 * DIAMETER, border=0.4)
    picks = pick_image(MODEL, image, PIXEL, plan, "m").picks
    assert not (np.hypot(picks.y_px - 200, picks.x_px - 5) < 55).any()


def test_packing_limit_of_a_square_full_of_hexagons():
    # Rows of discs of diameter 1 are sqrt(3)/2 apart: 2/sqrt(3) discs on a unit of area.
    assert packing_limit((1000, 1000), 1.0) == pytest.approx(1154700.5, rel=1e-6)


def test_results_come_in_order_and_do_not_depend_on_the_readers(folder):
    inputs = micrographs(folder)
    runs = []
    for readers in (1, 2, 4):
        here = InlineExecutor(Resources(readers=readers))
        found = list(pick_micrographs(MODEL, iter(inputs), plan_for(), SilentReporter(), here))
        assert [f.micrograph_id for f in found] == [m.id for m in inputs]
        runs.append(columns(found))
    assert runs[0] == runs[1] == runs[2]
    alone = pick_image(MODEL, make_image(2)[0], PIXEL, plan_for(), "m2.mrc")
    assert runs[0][2] == columns([alone])[0]


def test_a_bad_micrograph_is_a_failure_and_the_rest_goes_on(folder):
    inputs = micrographs(folder)
    inputs.insert(1, Micrograph("gone.mrc", LocalFile(folder / "gone.mrc")))
    inputs.insert(3, replace(inputs[0], id="odd.mrc", pixel_size_A=0.01))
    found = list(pick_micrographs(MODEL, inputs, plan_for(), SilentReporter()))
    assert [isinstance(f, MicrographFailure) for f in found] == [
        False, True, False, True, False, False, False,
    ]  # fmt: skip
    assert "gone.mrc" in found[1].reason
    assert "expected 12.8 to 1280" in found[3].reason
    assert set(found[0].seconds) == {"read", "preprocess", "network", "peaks"}


@dataclass(frozen=True)
class FailingSource:
    error: BaseException
    name: str = "m.mrc"

    @contextmanager
    def fetch(self):
        raise self.error
        yield Path()

    def fingerprint(self):
        return ""


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(errno.ENOSPC, "no space"), KeyError("bug")]
)
def test_the_machines_failures_and_bugs_end_the_job(folder, error):
    inputs = [*micrographs(folder)[:1], Micrograph("x", FailingSource(error))]
    found = pick_micrographs(MODEL, inputs, plan_for(), SilentReporter())
    next(found)
    with pytest.raises(type(error)):
        next(found)


def test_a_download_that_fails_is_the_micrographs_own_failure():
    source = FailingSource(ConnectionError("connection lost"))
    found = list(pick_micrographs(MODEL, [Micrograph("x", source)], plan_for(), SilentReporter()))
    assert found == [MicrographFailure("x", "m.mrc cannot be read (connection lost)")]


def readers_alive():
    return [t for t in threading.enumerate() if t.name.startswith("reader")]


def test_a_stop_comes_through_and_ends_the_readers(folder):
    reporter = SilentReporter()
    found = pick_micrographs(MODEL, micrographs(folder), plan_for(), reporter)
    next(found)
    reporter.stop_requested = True
    with pytest.raises(JobStopped):
        next(found)
    assert not readers_alive()


def test_a_stop_comes_through_while_a_reader_hangs():
    release, reporter = threading.Event(), SilentReporter()

    def check():
        if started.is_set():
            release.set()  # the reader ends once the stop is asked for
            raise JobStopped("stop")

    started = threading.Event()

    def read(item):
        started.set()
        assert release.wait(LONG)

    with pytest.raises(JobStopped):
        list(read_ahead([1, 2, 3], read, 2, check))
    assert not readers_alive() and not reporter.stop_requested


def test_an_abandoned_stream_ends_its_readers(folder):
    found = pick_micrographs(MODEL, micrographs(folder), plan_for(), SilentReporter())
    next(found)
    found.close()
    assert not readers_alive()


@pytest.mark.parametrize("readers", [1, 3])
def test_no_more_decoded_micrographs_than_readers_and_one(folder, monkeypatch, readers):
    alive, most = [], [0]
    decode = work_module.fetch_and_decode

    def counted(micrograph):
        image = decode(micrograph)
        alive.append(weakref.ref(image))
        most[0] = max(most[0], sum(ref() is not None for ref in alive))
        return image

    monkeypatch.setattr(work_module, "fetch_and_decode", counted)
    here = InlineExecutor(Resources(readers=readers))
    for _ in pick_micrographs(MODEL, micrographs(folder) * 3, plan_for(), SilentReporter(), here):
        pass
    gc.collect()
    assert most[0] <= readers + 1


def test_previews_are_small_pictures_of_the_micrographs_named(folder):
    plan = replace(plan_for(), preview_ids=frozenset(["m1.mrc"]))
    found = list(pick_micrographs(MODEL, micrographs(folder)[:2], plan, SilentReporter()))
    assert found[0].preview is None
    picture = found[1].preview
    assert picture.dtype == np.uint8 and picture.shape == SHAPE
    centre = make_image(1)[1].round().astype(int)
    assert picture[centre[:, 0], centre[:, 1]].mean() < picture.mean() - 40
    wide = pick_module.make_preview(make_image(0, (900, 1700))[0], 60.0, torch.device("cpu"))
    assert max(wide.shape) <= 800
    assert wide.shape[1] / wide.shape[0] == pytest.approx(1700 / 900, rel=0.01)


def test_the_plan_needs_a_diameter_and_the_given_one_wins(caplog):
    with pytest.raises(ConfigError, match="--diameter"):
        plan_picking(MODEL, PickSettings(device="cpu"))
    own = replace(MODEL, card=MODEL.card.model_copy(update={"diameter_A": 100.0}))
    plan = plan_picking(own, PickSettings(device="cpu"))
    assert (plan.diameter_A, plan.scale_diameter_A, plan.min_distance_A) == (100.0, 100.0, 70.0)
    with caplog.at_level("INFO"):
        plan = plan_picking(own, PickSettings(device="cpu", diameter=140.0))
    assert (plan.diameter_A, plan.scale_diameter_A, plan.min_distance_A) == (
        140.0,
        100.0,
        pytest.approx(98.0),
    )
    assert "trained for" in caplog.text
    plan = plan_picking(own, PickSettings(device="cpu", min_distance=33.0))
    assert plan.min_distance_A == 33.0
    with pytest.raises(ConfigError, match="threshold"):
        plan_picking(own, PickSettings(device="cpu", threshold="high"))


def test_contrast_is_settled_before_picking(folder):
    plan, inputs = plan_for(contrast="auto"), micrographs(folder)
    with pytest.raises(ConfigError, match="settle_contrast"):
        next(pick_micrographs(MODEL, inputs, plan, SilentReporter()))
    inputs.append(Micrograph("gone.mrc", LocalFile(folder / "gone.mrc")))
    settled = settle_contrast(MODEL, inputs, plan, SilentReporter())
    assert settled == replace(plan, contrast="dark")
    assert settle_contrast(MODEL, [], settled, SilentReporter()) == settled


def test_unusable_images_raise():
    with pytest.raises(MicrographError, match=r"m9: .*constant"):
        pick_image(MODEL, np.ones(SHAPE, np.float32), PIXEL, plan_for(), "m9")


def test_read_only_arrays_are_picked_and_left_alone():
    image, _ = make_image(2)
    image.setflags(write=False)
    assert len(pick_image(MODEL, image, PIXEL, plan_for(), "m").picks) >= 6


def test_a_contrast_that_the_images_contradict_is_told(folder, caplog):
    plan, inputs = plan_for(contrast="light"), micrographs(folder)
    assert settle_contrast(MODEL, inputs, plan, SilentReporter()) == plan
    (record,) = caplog.records
    assert "particles look dark" in record.message and "taken for light" in record.message
    assert "--contrast dark or --contrast auto" in record.message and len(record.message) < 300
    caplog.clear()
    settle_contrast(MODEL, inputs, plan_for(), SilentReporter())
    assert not caplog.records


def test_nothing_is_fetched_to_doubt_a_contrast(folder, caplog):
    class Far(LocalFile):
        in_place = False

        def fetch(self):
            raise AssertionError("fetched")

    far = [replace(m, source=Far(m.source.path)) for m in micrographs(folder)]
    plan = plan_for(contrast="light")
    assert settle_contrast(MODEL, far, plan, SilentReporter()) == plan and not caplog.records
