"""Every host: what a picking job asks of it, gives it, and does when settings change."""

from __future__ import annotations

import csv
import errno
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mrcfile
import numpy as np
import pytest

from frostpick.errors import MicrographError
from frostpick.images import RawImage
from frostpick.models.shipped import load_model
from frostpick.picking import evidence, work
from frostpick.types import Micrograph
from frostpick_jobs.job.host import Host
from frostpick_jobs.job.lock import job_lock
from frostpick_jobs.job.outputs import Files, PicksOutput, Report


def test_order_of_calls(case: Any, spy: Any) -> None:
    assert spy.pick(case) == 0
    names = spy.names()
    assert names[0] == "begin" and names[-3:] == ["deliver_one", "deliver", "end"]
    assert set(names[1:-3]) <= {"micrographs"}
    assert names.count("begin") == names.count("deliver") == names.count("end") == 1
    assert spy.ends() == ["finished"]


def test_ids_come_back_unchanged_and_in_order(case: Any, spy: Any) -> None:
    given = [m.id for m in case.host().micrographs()]
    spy.pick(case)
    outputs = spy.outputs()
    assert [one.micrograph.id for one in outputs] == given
    assert [one.picks.micrograph_id for one in outputs] == given
    assert all(type(one.micrograph.id) is str for one in outputs)
    assert sorted(case.delivered()) == sorted(given)
    assert {case.id_of(file) for file in case.files} == set(given)


@pytest.mark.quick
def test_equal_stems_are_kept_apart_and_picks_are_where_the_particles_are(
    case: Any, spy: Any, data: Any
) -> None:
    spy.pick(case, threshold="p=0.5")
    found = case.delivered()
    for number, file in enumerate(case.files):
        picks, true = found[case.id_of(file)], data.truth(number)
        distance = np.linalg.norm(picks[:, None] - true[None], axis=-1)
        assert (distance.min(axis=0) <= 3).sum() >= len(true) - 1, file
        # Rounding to whole pixels included, nothing is shifted.
        nearest = picks[distance.argmin(axis=0)] - true
        assert np.abs(nearest[distance.min(axis=0) <= 3].mean(axis=0)).max() < 1.0


def test_outputs_carry_shape_pixel_size_and_sorted_picks(case: Any, spy: Any) -> None:
    spy.pick(case)
    assert spy.outputs()
    for output in spy.outputs():
        assert output.shape == (192, 224) and output.pixel_size_A == pytest.approx(2.0)
        assert (np.diff(output.picks.score) <= 0).all()
        assert (output.picks.row == -1).all() and output.picks.diameter_A == 64.0
        assert 0 < output.picks.selected.sum() <= len(output.picks)


@pytest.mark.parametrize("rule", ["per-micrograph=4", "fraction=0.25"])
def test_so_many_picks_are_delivered_as_are_asked_for(case: Any, spy: Any, rule: str) -> None:
    assert spy.pick(case, threshold=rule) == 0
    outputs, number = spy.outputs(), float(rule.partition("=")[2])
    found = [len(one.picks) for one in outputs]
    counts = [int(one.picks.selected.sum()) for one in outputs]
    if rule.startswith("per-micrograph"):
        assert counts == [min(int(number), n) for n in found] and max(found) > number
    else:
        assert sum(counts) == int(np.ceil(number * sum(found))) > 4
    for one, count in zip(outputs, counts, strict=True):
        worst = np.sort(one.picks.score)[::-1][count - 1] if count else np.inf
        assert (one.picks.score[one.picks.selected] >= worst).all()
        assert len(case.delivered()[one.micrograph.id]) == count


def test_what_is_delivered_is_complete(case: Any, spy: Any) -> None:
    spy.draw = True
    spy.pick(case)
    outputs, picks, report = spy.outputs(), spy.output(PicksOutput), spy.output(Report)
    assert spy.delivered() == [picks, spy.output(Files), report]
    assert len(outputs) == len(case.files) and picks.failed == report.failed == {}
    for output in outputs:
        expected = output.picks.score >= picks.threshold
        np.testing.assert_array_equal(output.picks.selected, expected)
    scores = np.concatenate([output.picks.score for output in outputs])
    np.testing.assert_array_equal(np.sort(scores), np.sort(picks.scores))
    record = report.record
    assert record["task"] == "pick" and record["counts"]["micrographs"] == len(case.files)
    assert record["counts"]["selected"] == sum(int(o.picks.selected.sum()) for o in outputs)
    assert record["settings"]["diameter"] == 64.0 and len(record["model"]["digest"]) == 64
    pictures = [one.name for one in report.figures if one.png.startswith(b"\x89PNG")]
    assert len(pictures) == len(report.figures) == 3 + len(case.files)


def table(case: Any) -> dict[str, tuple[str, str, str]]:
    """Return status, number of picks and threshold by id, as the user finds them."""
    (text,) = [b for name, b in case.native_files().items() if name.endswith("micrographs.csv")]
    header, *rows = csv.reader(text.decode().splitlines())
    assert header == ["micrograph", "status", "picks", "threshold"]
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def test_a_table_tells_the_threshold_of_each_micrograph(case: Any, spy: Any) -> None:
    bad = case.files[3]
    bad.write_bytes(b"not an image")
    assert spy.pick(case, threshold="p=0.6") == 0
    expected = {
        name: ("picked", str(len(picks)), "0.405465")  # log(.6 / .4)
        for name, picks in case.delivered().items()
    }
    assert table(case) == {**expected, case.id_of(bad): ("failed", "", "")}
    assert len(expected) == 5


def test_a_second_run_infers_nothing_and_gives_the_same_files(case: Any, spy: Any) -> None:
    spy.pick(case)
    before = case.native_files()
    assert spy.pick(case) == 0
    assert spy.inferred == [] and case.native_files() == before
    assert len([call for call in spy.calls if call[0] == "deliver_one"]) == len(case.files)


def test_another_threshold_needs_no_inference(
    case: Any, spy: Any, caplog: pytest.LogCaptureFixture
) -> None:
    spy.pick(case)
    scores = np.concatenate([output.picks.score for output in spy.outputs()])
    high, low = (str(float(np.quantile(scores, q))) for q in (0.7, 0.3))
    spy.pick(case, threshold=high)
    few = case.delivered()
    assert spy.pick(case, threshold=low) == 0
    many = case.delivered()
    assert spy.inferred == []
    assert sum(map(len, many.values())) > sum(map(len, few.values()))
    for micrograph_id, picks in few.items():
        assert {tuple(p) for p in picks} <= {tuple(p) for p in many[micrograph_id]}
    with caplog.at_level(logging.INFO):
        spy.pick(case, output_picks="all")
    everything = case.delivered()
    assert spy.inferred == [] and "picked again" not in caplog.text
    assert all(len(everything[one]) >= len(many[one]) for one in many)
    assert len(spy.outputs()) == len(case.files)
    assert all(output.picks.selected.all() for output in spy.outputs())


def test_another_model_picks_again_and_says_why(
    case: Any, spy: Any, caplog: pytest.LogCaptureFixture
) -> None:
    spy.pick(case)
    blob = load_model("blob")
    other = replace(blob, card=blob.card.model_copy(update={"citation": "another"}))
    other.save(case.project / "other")
    with caplog.at_level(logging.INFO):
        assert spy.pick(case, model=str(case.project / "other")) == 0
    assert len(spy.inferred) == len(case.files)
    lines = [r.message for r in caplog.records if "picked again" in r.message]
    assert lines == ["model changed: 6 micrographs picked again"]


def test_a_changed_file_is_picked_again_alone(case: Any, spy: Any) -> None:
    spy.pick(case)
    file = case.files[2]
    content = bytearray(file.read_bytes())
    content[-400:] = bytes(400)
    file.write_bytes(bytes(content))
    assert spy.pick(case) == 0
    assert spy.inferred == [case.id_of(file)]


def test_one_bad_micrograph_is_skipped_listed_and_tried_again(
    case: Any, spy: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bad = case.files[3]
    whole = bad.read_bytes()
    bad.write_bytes(whole[:3000])
    assert spy.pick(case) == 0
    assert spy.ends() == ["finished"]
    assert list(spy.output(PicksOutput).failed) == [case.id_of(bad)]
    assert spy.output(Report).failed == spy.output(PicksOutput).failed
    assert case.id_of(bad) not in {o.micrograph.id for o in spy.outputs()}
    assert case.id_of(bad) in caplog.text and "1 micrograph failed" in caplog.text
    bad.write_bytes(whole)
    assert spy.pick(case) == 0
    assert spy.inferred == [case.id_of(bad)]
    assert len(case.delivered()) == len(case.files)


def test_a_micrograph_that_failed_is_tried_again_though_its_file_is_the_same(
    case: Any, spy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = case.id_of(case.files[3])
    read = work.fetch_and_decode

    def away(micrograph: Micrograph) -> RawImage:
        if micrograph.id == bad:
            raise MicrographError(bad, "the disk did not answer")
        return read(micrograph)

    with monkeypatch.context() as patch:
        patch.setattr(work, "fetch_and_decode", away)
        assert spy.pick(case) == 0
    assert spy.output(PicksOutput).failed == {bad: "the disk did not answer"}
    assert spy.pick(case) == 0
    assert spy.inferred == [bad]
    assert len(case.delivered()) == len(case.files)


def test_a_vanished_micrograph_costs_itself_only(case: Any, spy: Any) -> None:
    host = case.host()
    host.begin()
    found = host.micrographs()
    gone = case.files[0]
    gone.unlink()

    def keep_list(new: Host) -> None:
        new.micrographs = lambda: found  # type: ignore[method-assign]

    assert spy.pick(case, keep_list) == 0
    assert list(spy.output(PicksOutput).failed) == [case.id_of(gone)]


def test_all_failing_fails_the_job(case: Any, spy: Any, caplog: pytest.LogCaptureFixture) -> None:
    for file in case.files:
        file.write_bytes(b"not an image")
    assert spy.pick(case) == 1
    assert spy.ends() == ["failed"] and spy.calls[-1][0] == "end"
    assert "no micrograph could be picked" in spy.calls[-1][2]
    assert case.host().micrographs()[0].id in spy.calls[-1][2]
    assert "deliver" not in spy.names()


@pytest.mark.parametrize("at", ["deliver_one", "deliver"])
def test_a_crash_while_delivering_then_continue(
    case: Any, spy: Any, new_case: Any, at: str
) -> None:
    def crash(host: Host) -> None:
        real, count = getattr(host, at), [0]

        def full(*args: Any) -> None:
            count[0] += 1
            if at == "deliver" or count[0] == 3:
                raise OSError(errno.ENOSPC, "No space left on device", "some/file")
            real(*args)

        setattr(host, at, full)

    assert spy.pick(case, crash) == 1
    assert spy.ends() == ["failed"]
    assert spy.calls[-1][2].startswith("some/file: no space left on the disk")
    assert spy.pick(case) == 0
    assert spy.inferred == [] and spy.ends() == ["finished"]
    uninterrupted = new_case("another")
    spy.pick(uninterrupted)
    assert case.native_files() == uninterrupted.native_files()


def test_a_late_micrograph_is_picked_alone_at_the_frozen_threshold(
    case: Any, spy: Any, data: Any
) -> None:
    late = case.files.pop()
    content = late.read_bytes()
    late.unlink()
    spy.pick(case)
    first = spy.output(PicksOutput)
    before = case.delivered()
    late.write_bytes(content)
    case.files.append(late)
    assert spy.pick(case) == 0
    second = spy.output(PicksOutput)
    assert spy.inferred == [case.id_of(late)] and second.threshold == first.threshold
    assert spy.output(Report).record["threshold"]["frozen"]
    after = case.delivered()
    assert len(after) == len(before) + 1
    for micrograph_id, picks in before.items():
        np.testing.assert_array_equal(after[micrograph_id], picks)


def take_away(case: Any, count: int) -> Callable[[], None]:
    """Remove the last micrographs, and return what brings them back."""
    taken = [(file, file.read_bytes()) for file in case.files[-count:]]
    del case.files[-count:]
    for file, _ in taken:
        file.unlink()

    def back() -> None:
        for file, content in taken:
            file.write_bytes(content)
            case.files.append(file)

    return back


def test_too_few_to_choose_by_take_the_models_own_threshold(case: Any, spy: Any) -> None:
    back = take_away(case, 5)
    own = load_model("blob").card.threshold
    assert spy.pick(case) == 0  # five particles and three that are faint
    back()
    for _ in range(2):
        assert spy.output(PicksOutput).threshold == own
        assert spy.output(Report).record["threshold"]["provisional"]
        assert {row[2] for row in table(case).values()} == {f"{own:.6g}"}
        assert spy.pick(case) == 0
    assert len(table(case)) == 6
    assert spy.pick(case, renew_threshold=True) == 0
    assert spy.output(PicksOutput).threshold > own  # that of 54 likely particles
    assert not spy.output(Report).record["threshold"]["provisional"]


def test_what_was_delivered_keeps_its_threshold_till_it_is_renewed(
    case: Any, spy: Any, caplog: pytest.LogCaptureFixture
) -> None:
    back = take_away(case, 5)
    assert spy.pick(case, threshold="precision=0.8") == 0
    first = spy.output(PicksOutput).threshold
    before = case.delivered()
    back()
    assert spy.pick(case, threshold="precision=0.8") == 0
    assert spy.output(PicksOutput).threshold == first
    grown, files = case.delivered(), case.native_files()
    for micrograph_id, picks in before.items():
        np.testing.assert_array_equal(grown[micrograph_id], picks)
    assert spy.pick(case, threshold="precision=0.8") == 0
    assert case.native_files() == files

    caplog.clear()
    assert spy.pick(case, threshold="precision=0.8", renew_threshold=True) == 0
    assert spy.inferred == []
    renewed = spy.output(PicksOutput).threshold
    assert renewed != first
    assert {row[2] for row in table(case).values()} == {f"{renewed:.6g}"}
    last = case.delivered()
    changed = sum(len(last[one]) != len(grown[one]) for one in grown)
    assert changed and f"the picks of {changed} of 6 micrographs" in caplog.text
    assert "Extract" in caplog.text
    files = case.native_files()
    caplog.clear()
    assert spy.pick(case, threshold="precision=0.8") == 0
    assert case.native_files() == files and "have changed" not in caplog.text


def test_with_evidence_enough_it_is_chosen_once_for_those_that_come(
    case: Any, spy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "ENOUGH_MICROGRAPHS", 5)
    monkeypatch.setattr(evidence, "ENOUGH_CANDIDATES", 100)
    own = load_model("blob").card.threshold
    last, later = take_away(case, 1), take_away(case, 4)
    assert spy.pick(case) == 0
    before = case.delivered()
    assert spy.output(PicksOutput).threshold == own
    later()
    spy.draw = True
    assert spy.pick(case) == 0
    chosen = spy.output(PicksOutput)
    assert chosen.threshold > own and chosen.kept == 1
    record = spy.output(Report).record
    assert not record["threshold"]["frozen"] and not record["threshold"]["provisional"]
    for micrograph_id, picks in before.items():
        np.testing.assert_array_equal(case.delivered()[micrograph_id], picks)
    last()
    assert spy.pick(case) == 0
    assert spy.output(Report).record["threshold"]["frozen"]
    cuts = {name: float(row[2]) for name, row in table(case).items()}
    expected = {case.id_of(file): chosen.threshold for file in case.files}
    assert cuts == {**expected, **dict.fromkeys(before, own)}
    for output in spy.outputs():
        assert output.cut is not None and output.cut.score == cuts[output.micrograph.id]
        expected_marks = output.picks.score >= output.cut.score
        np.testing.assert_array_equal(output.picks.selected, expected_marks)
    files = case.native_files()
    assert spy.pick(case) == 0 and case.native_files() == files


def test_a_first_micrograph_that_votes_for_the_wrong_contrast_decides_nothing(
    case: Any, spy: Any, new_case: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def spoil(one: Any) -> None:
        """Turn the first file's sign."""
        with mrcfile.open(one.files[0], "r+") as file:
            file.set_data(-file.data)

    spoil(case)
    back = take_away(case, 5)
    assert spy.pick(case, contrast="auto") == 0
    assert spy.output(Report).record["contrast"] == "light"
    back()
    assert spy.pick(case, contrast="auto") == 0
    assert spy.output(Report).record["contrast"] == "dark" and len(spy.inferred) == 6
    assert "were taken for light by the first 1; all are picked anew" in caplog.text
    files = case.native_files()
    assert spy.pick(case, contrast="auto") == 0
    assert spy.inferred == [] and case.native_files() == files
    grown = case.delivered()
    whole = new_case("whole")
    spoil(whole)
    assert spy.pick(whole, contrast="auto") == 0
    for micrograph_id, picks in whole.delivered().items():
        np.testing.assert_array_equal(picks, grown[micrograph_id])


def test_limit_is_spread_and_its_threshold_is_not_the_jobs(case: Any, spy: Any) -> None:
    given = [m.id for m in case.host().micrographs()]
    assert spy.pick(case, max_micrographs=2) == 0
    assert spy.inferred == [given[1], given[4]]
    assert len(spy.outputs()) == 2
    assert spy.pick(case) == 0
    assert sorted(spy.inferred) == sorted(set(given) - {given[1], given[4]})
    assert not spy.output(Report).record["threshold"]["frozen"]


def test_a_second_start_does_not_touch_the_first(
    case: Any, spy: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with job_lock(case.host().spool):
        assert spy.pick(case) == 1
    assert spy.calls == []
    assert "another frostpick" in caplog.text and len(caplog.records) == 1
    assert spy.pick(case) == 0


def test_no_micrographs(case: Any, spy: Any) -> None:
    def none(host: Host) -> None:
        host.micrographs = lambda: []  # type: ignore[method-assign]

    assert spy.pick(case, none) == 1
    assert "no micrographs" in spy.calls[-1][2]


def test_downloads_are_bounded_and_deleted(case: Any, spy: Any) -> None:
    if case.name != "hostile":
        pytest.skip("only the hostile host downloads")
    spy.pick(case)
    server = case.server
    assert sorted(server.fetched) == sorted(file.name for file in case.files)
    assert server.present == set() and server.most_present <= 2
    spy.pick(case, threshold="p=0.3")
    assert len(server.fetched) == len(case.files)


def test_noise_is_told_once_for_all_and_the_same_after_a_continue(
    case: Any, spy: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    loose = {"model": "general", "threshold": "-20"}
    spy.pick(case, **loose)
    first = spy.output(Report).record["noise"]
    assert first["micrographs"] == len(case.files) and "lower bound" in first["meaning"]
    assert 0 < first["picks"] == first["selected"] and 0 < first["share"] <= 1
    assert "noise: " in caplog.text and "recall of what the model can see" in caplog.text
    spy.pick(case, **loose)
    assert spy.inferred == [] and spy.output(Report).record["noise"] == first
    spy.pick(case, **{**loose, "threshold": "p=0.999"})
    assert spy.inferred == [] and spy.output(Report).record["noise"]["share"] is None
    assert "no pick reaches the threshold" in caplog.text
