"""Python functions: one shape, typed results, and the order of before until 2.0."""

import pytest
from made_images import spots_on_noise, write_mrc

import frostpick_jobs
from frostpick.errors import ConfigError, FrostpickError, InputError
from frostpick_jobs.api import as_paths
from frostpick_jobs.hosts.folder import FolderHost
from frostpick_jobs.job.results import PickingResult, Place, TrainingResult


@pytest.fixture
def micrographs(tmp_path):
    """Two small micrographs with four dark discs each, 2 A a pixel."""
    folder = tmp_path / "mics"
    places = ((40, 40), (140, 44), (44, 120), (150, 112))
    for number in range(2):
        write_mrc(folder / f"m{number}.mrc", spots_on_noise((160, 192), places, number))
    return folder


def settings():
    return {"model": "blob", "diameter": 64, "pixel_size": 2.0, "threads": 1, "device": "cpu"}


def test_a_result_says_what_was_found_and_where_it_is(micrographs, tmp_path) -> None:
    out = tmp_path / "out"
    result = frostpick_jobs.pick(out, micrographs=micrographs, **settings())
    assert type(result) is PickingResult
    assert (result.micrographs, result.failed) == (2, {})
    assert result.picks >= result.selected
    assert (result.folder, result.job) == (out, str(out))
    # names of before
    assert result.out == out and result.summary.selected == result.selected
    again = frostpick_jobs.select(out, result.threshold)
    assert (again.selected, again.folder) == (result.selected, out)


def test_a_host_gives_the_same_result_and_takes_no_inputs(micrographs, tmp_path) -> None:
    host = FolderHost(tmp_path / "a", {"micrographs": [micrographs]}, pixel_size=2.0)
    one = frostpick_jobs.pick(host, **settings())
    other = frostpick_jobs.pick(tmp_path / "b", micrographs=[micrographs], **settings())
    assert (one.picks, one.selected, one.threshold) == (
        other.picks,
        other.selected,
        other.threshold,
    )
    with pytest.raises(ConfigError, match="leave micrographs away"):
        frostpick_jobs.pick(host, micrographs=micrographs, **settings())


def test_the_order_of_before_works_and_says_what_to_write(micrographs, tmp_path) -> None:
    with pytest.warns(DeprecationWarning, match=r"write pick\(out, micrographs=\.\.\.\)"):
        old = frostpick_jobs.pick(micrographs, tmp_path / "a", **settings())
    with pytest.warns(DeprecationWarning):
        keyword = frostpick_jobs.pick(micrographs, out=tmp_path / "b", **settings())
    new = frostpick_jobs.pick(tmp_path / "c", micrographs=micrographs, **settings())
    assert old.selected == keyword.selected == new.selected > 0


def test_a_host_in_the_place_of_before_works_too(micrographs, tmp_path) -> None:
    def host(name: str) -> FolderHost:
        return FolderHost(tmp_path / name, {"micrographs": [micrographs]}, pixel_size=2.0)

    new = frostpick_jobs.pick(host("new"), **settings())
    with pytest.warns(DeprecationWarning, match=r"write pick\(out, micrographs=\.\.\.\)"):
        by_name = frostpick_jobs.pick(micrographs=host("a"), **settings())
    with pytest.warns(DeprecationWarning):
        by_position = frostpick_jobs.pick(host("b"), None, **settings())
    assert by_name.selected == by_position.selected == new.selected > 0
    for call in (
        lambda: frostpick_jobs.train(host("c"), (), start_model="none"),
        lambda: frostpick_jobs.train(micrographs=host("c"), picks=(), start_model="none"),
    ):
        with pytest.warns(DeprecationWarning), pytest.raises(InputError, match="no labels"):
            call()
    with pytest.warns(DeprecationWarning), pytest.raises(ConfigError, match="leave out away"):
        frostpick_jobs.pick(host("d"), tmp_path / "e", **settings())


def test_a_training_has_its_names_of_before() -> None:
    place = Place("out")
    one = TrainingResult(place, {}, model=None, curve=[{"step": 1.0}], training={"steps": 3})
    assert one.summary.summary == one.training == {"steps": 3}
    assert one.summary.curve == one.curve and one.model_path is None


def test_errors_are_exceptions_and_no_exit_codes(tmp_path) -> None:
    with pytest.raises(FrostpickError, match="no micrographs"):
        frostpick_jobs.pick(tmp_path / "out", **settings())
    with pytest.raises(ConfigError, match="unknown setting 'diametre'"):
        frostpick_jobs.train(tmp_path / "out", diametre=3)
    assert not (tmp_path / "out" / "run.json").exists()


def test_one_path_or_several(tmp_path) -> None:
    assert as_paths("a") == ("a",)
    assert as_paths(tmp_path) == (str(tmp_path),)
    assert as_paths(["a", tmp_path]) == ("a", str(tmp_path))
