import os

import pytest
import torch

from frostpick.errors import ConfigError, DeviceError
from frostpick.runtime import threads
from frostpick.runtime.device import resolve_device, resolve_devices
from frostpick.runtime.threads import resolve_threads


@pytest.fixture
def gpus(monkeypatch):
    def install(free_gb):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(free_gb))
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free_gb))
        monkeypatch.setattr(
            torch.cuda, "mem_get_info", lambda n: (int(free_gb[n] * 1e9), int(99e9))
        )
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda n: "test GPU")

    return install


def test_auto_takes_the_gpu_with_most_free_memory(gpus, caplog):
    gpus([3, 11, 11, 5])
    with caplog.at_level("INFO"):
        assert resolve_device("auto") == torch.device("cuda", 1)
    assert "cuda:1, test GPU (11.0 GB free" in caplog.text
    assert resolve_device("cuda") == torch.device("cuda", 1)


def test_without_a_gpu_auto_is_the_cpu_and_asking_for_one_is_an_error(gpus):
    gpus([])
    assert resolve_device("auto") == resolve_device(" CPU ") == torch.device("cpu")
    for text in ("cuda", "0", "cuda:0", "0:1"):
        with pytest.raises(DeviceError, match="--device cpu"):
            resolve_device(text)


@pytest.mark.parametrize("text", ["0,2", "cuda:0,2", "0:2", "2,0", "cuda:0:2", "0,0,2"])
def test_lists_of_gpus(gpus, text):
    gpus([1, 1, 1])
    assert resolve_devices(text) == (torch.device("cuda", 0), torch.device("cuda", 2))
    with pytest.raises(DeviceError, match="GPU 2 and 2 are visible"):
        gpus([1, 1])
        resolve_devices(text)


def test_several_gpus_say_which_is_used(gpus, caplog):
    gpus([1, 1])
    assert resolve_device("0,1") == torch.device("cuda", 0)
    assert "one GPU is used" in caplog.text


@pytest.mark.parametrize("text", ["gpu", "cuda:", "0,", "-1", "0;1", "mps", "cuda:auto"])
def test_unknown_devices(text):
    with pytest.raises(ConfigError, match="expected auto, cpu, cuda"):
        resolve_devices(text)


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Eight processors, no quota, no scheduler."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(threads, "CGROUP", tmp_path)
    for name in ("SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_all_that_is_allowed(machine):
    assert resolve_threads(0) == 8
    assert resolve_threads(3) == 3
    machine.setenv("SLURM_CPUS_PER_TASK", "6")
    assert resolve_threads(0) == 6
    machine.setenv("OMP_NUM_THREADS", "4,2")
    assert resolve_threads(0) == 4
    assert resolve_threads(7) == 7


def test_more_than_there_are_is_cut_with_a_warning(machine, caplog):
    assert resolve_threads(64) == 8
    assert "64 threads were asked for" in caplog.text


def test_quota_of_control_groups(machine, tmp_path):
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert resolve_threads(0) == 8
    (tmp_path / "cpu.max").write_text("250000 100000\n")
    assert resolve_threads(0) == 3
    (tmp_path / "job/step").mkdir(parents=True)
    (tmp_path / "job/cpu.max").write_text("100000 100000\n")
    membership = tmp_path / "cgroup"
    membership.write_text("0::/job/step\n")
    assert threads._cgroup_limits(tmp_path, membership) == [3, 1, 3]


def test_quota_of_control_groups_version_1(tmp_path):
    (tmp_path / "cpu/job").mkdir(parents=True)
    (tmp_path / "cpu/job/cpu.cfs_quota_us").write_text("400000")
    (tmp_path / "cpu/job/cpu.cfs_period_us").write_text("100000")
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("-1")
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000")
    membership = tmp_path / "cgroup"
    membership.write_text("4:cpu,cpuacct:/job\n3:memory:/job\n")
    assert threads._cgroup_limits(tmp_path, membership) == [4]
