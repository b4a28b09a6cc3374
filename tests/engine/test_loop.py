"""The one training loop: a toy training with sums that can be done by hand."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors import safe_open

from frostpick.errors import ConfigError, DeviceError, JobStopped
from frostpick.runtime import loop
from frostpick.runtime.loop import Saving, run_training
from frostpick.runtime.reporter import SilentReporter

pytestmark = pytest.mark.quick

#: The weight after k steps, from 0 by ``w = 2 w + k``: 0, 2 * 0 + 1, 2 * 1 + 2, 2 * 4 + 3 ...
WEIGHT = (0.0, 0.0, 1.0, 4.0, 11.0, 26.0, 57.0)
STEPS = 6


class Toy:
    """A training of one weight, which tells where it was saved and measured."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        self.done, self.weight = 0, torch.zeros(1)
        self.seen: list[float] = []
        self.saved_at: list[int] = []
        self.measured_at: list[int] = []

    def step(self) -> dict[str, float]:
        self.weight = 2 * self.weight + self.done
        self.done += 1
        self.seen.append(float(self.weight))
        return {"weight": float(self.weight)}

    def measure(self) -> None:
        self.measured_at.append(self.done)

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        self.saved_at.append(self.done)
        return {"weight": self.weight}, {"done": self.done, "seen": self.seen}

    def restore(self, tensors: Mapping[str, torch.Tensor], progress: Mapping[str, Any]) -> None:
        self.weight = tensors["weight"]
        self.done, self.seen = progress["done"], progress["seen"]


class Killed(BaseException):
    """Stands for kill -9: nothing catches it."""


class Recorder(SilentReporter):
    """Keeps what it is told; stops at the check before step ``at``."""

    def __init__(self, at: int | None = None, kind: type[BaseException] = JobStopped) -> None:
        super().__init__()
        self.at, self.kind, self.checks = at, kind, 0
        self.calls: list[object] = []

    def stage(self, name: str, total: int) -> None:
        self.calls.append((name, total))

    def advance(self, n: int = 1, **metrics: float) -> None:
        self.calls.append((n, metrics))

    def check(self) -> None:
        self.checks += 1
        if self.at is not None and self.checks > self.at:
            raise self.kind("stopped")


def run(toy: Toy, saving: Saving, reporter: SilentReporter | None = None, **others: Any) -> None:
    others = {"steps": STEPS, "stage": "training", **others}
    run_training(toy, reporter or SilentReporter(), saving, **others)


def kept(folder: Path) -> tuple[str, float, dict[str, Any]]:
    """Return key, weight and progress of the state on the disk."""
    with safe_open(folder / "training.safetensors", framework="pt") as found:
        about = found.metadata()
        return about["key"], float(found.get_tensor("weight")), json.loads(about["progress"])


def test_all_steps_are_taken_and_told(tmp_path: Path) -> None:
    toy, told = Toy(), Recorder()
    run(toy, Saving(tmp_path, "k"), told)
    assert toy.seen == list(WEIGHT[1:])
    assert told.calls == [("training", STEPS), *((1, {"weight": w}) for w in WEIGHT[1:])]
    assert told.checks == STEPS
    assert kept(tmp_path) == ("k", 57.0, {"done": 6, "seen": list(WEIGHT[1:])})


@pytest.mark.parametrize("at", range(STEPS))
def test_a_stop_saves_and_the_same_call_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, at: int
) -> None:
    first = Toy()
    with pytest.raises(JobStopped):
        run(first, Saving(tmp_path, "k"), Recorder(at))
    assert first.saved_at == [at]
    assert kept(tmp_path) == ("k", WEIGHT[at], {"done": at, "seen": list(WEIGHT[1 : at + 1])})
    second, told = Toy(), Recorder()
    with caplog.at_level(logging.INFO):
        run(second, Saving(tmp_path, "k"), told)
    assert caplog.messages == [f"going on after step {at} of 6"]
    assert second.seen == list(WEIGHT[1:])
    counted = [(at, {})] if at else []
    rest = [(1, {"weight": w}) for w in WEIGHT[at + 1 :]]
    assert told.calls == [("training", STEPS), *counted, *rest]


def test_a_finished_training_takes_no_step_and_is_not_written_again(tmp_path: Path) -> None:
    run(Toy(), Saving(tmp_path, "k"))
    again, told = Toy(), Recorder()
    run(again, Saving(tmp_path, "k"), told)
    assert again.seen == list(WEIGHT[1:]) and again.saved_at == [] and told.checks == 0
    assert told.calls == [("training", STEPS), (STEPS, {})]


@pytest.mark.parametrize(("last", "saved_at"), [(True, [2, 4, 6]), (False, [2, 4])])
def test_it_is_saved_every_so_many_steps(tmp_path: Path, last: bool, saved_at: list[int]) -> None:
    toy = Toy()
    run(toy, Saving(tmp_path, "k", steps=2, last=last))
    assert toy.saved_at == saved_at
    assert kept(tmp_path)[1] == WEIGHT[saved_at[-1]]


def test_a_killed_training_goes_on_from_its_last_state(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        run(Toy(), Saving(tmp_path, "k", steps=2), Recorder(5, Killed))
    assert kept(tmp_path)[1:] == (11.0, {"done": 4, "seen": [0.0, 1.0, 4.0, 11.0]})
    again = Toy()
    run(again, Saving(tmp_path, "k", steps=2))
    assert again.seen == list(WEIGHT[1:])


def test_it_is_saved_after_so_many_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]

    class Slow(Toy):
        def step(self) -> dict[str, float]:
            now[0] += 3.0
            return super().step()

    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: now[0]))
    toy = Slow()
    run(toy, Saving(tmp_path, "k", seconds=6.0, last=False))
    # 3 and 6 seconds are not longer than 6, 9 are; and from there again
    assert toy.saved_at == [3]
    toy = Slow()
    run(toy, Saving(tmp_path / "b", "k", seconds=5.0))
    assert toy.saved_at == [2, 4, 6]


def test_a_kill_loses_less_than_a_minute_where_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]

    class Slow(Toy):
        def step(self) -> dict[str, float]:
            now[0] += 25.0
            return super().step()

    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: now[0]))
    toy = Slow()
    run(toy, Saving(tmp_path, "k", last=False))
    assert toy.saved_at == [2, 4]  # 50 seconds apart


def test_without_a_folder_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    toy = Toy()
    with pytest.raises(JobStopped):
        run(toy, Saving(None, "k", steps=1), Recorder(3))
    assert toy.done == 3 and toy.saved_at == [] and not list(tmp_path.iterdir())


def test_another_training_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobStopped):
        run(Toy(), Saving(tmp_path, "k"), Recorder(2))
    told = Recorder()
    with pytest.raises(ConfigError, match="--restart"):
        run(Toy(), Saving(tmp_path, "another"), told)
    assert told.calls == [] and kept(tmp_path)[0] == "k"


@pytest.mark.parametrize(
    ("every", "at"), [(4, [4, 6]), (3, [3, 6]), (10, [6]), (1, [*range(1, 7)])]
)
def test_it_is_measured_every_so_many_steps_and_at_the_end(
    tmp_path: Path, every: int, at: list[int]
) -> None:
    toy = Toy()
    run(toy, Saving(tmp_path, "k"), measure=toy.measure, measure_every=every)
    assert toy.measured_at == at


def test_what_a_measurement_finds_is_saved_with_its_step(tmp_path: Path) -> None:
    toy = Toy()

    def measure() -> None:
        toy.seen.append(-1.0)

    run(toy, Saving(tmp_path, "k"), measure=measure, measure_every=STEPS)
    assert kept(tmp_path)[2]["seen"] == [*WEIGHT[1:], -1.0]


def test_a_settled_training_ends_and_stays_ended(tmp_path: Path) -> None:
    def settled(toy: Toy) -> Callable[[], bool]:
        return lambda: float(toy.weight) > 3.0  # after step 3

    for toy in (Toy(), Toy()):
        run(toy, Saving(tmp_path, "k"), settled=settled(toy))
        assert toy.seen == [0.0, 1.0, 4.0]
        assert kept(tmp_path) == ("k", 4.0, {"done": 3, "seen": [0.0, 1.0, 4.0]})


def test_a_part_of_an_announced_stage_counts_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = Recorder()
    with caplog.at_level(logging.INFO), pytest.raises(JobStopped):
        run(Toy(), Saving(tmp_path, "k"), Recorder(2), stage=None)
    run(Toy(), Saving(tmp_path, "k"), told, stage=None)
    assert told.calls == [(2, {}), *((1, {"weight": w}) for w in WEIGHT[3:])]
    assert caplog.messages == []


def test_a_gpu_that_is_out_of_memory_is_one_sentence(tmp_path: Path) -> None:
    class Large(Toy):
        device = torch.device("cuda:1")

        def step(self) -> dict[str, float]:
            if self.done == 2:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
            return super().step()

    with pytest.raises(DeviceError) as caught:
        run(Large(), Saving(tmp_path, "k", steps=1))
    assert str(caught.value) == (
        "cuda:1 is out of memory at a training step; choose another GPU or --device cpu and "
        "continue the job"
    )
    assert isinstance(caught.value.__cause__, torch.cuda.OutOfMemoryError)
    again = Toy()
    run(again, Saving(tmp_path, "k"))
    assert again.seen == list(WEIGHT[1:])
