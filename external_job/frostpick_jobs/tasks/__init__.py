"""What a job does, whatever program it runs in: host-neutral, over `Host` and `PickStore`."""

from frostpick_jobs.tasks.fewshot import run_fewshot
from frostpick_jobs.tasks.iterate import run_iterate
from frostpick_jobs.tasks.pick.run import PickSummary, run_pick
from frostpick_jobs.tasks.train import run_train
from frostpick_jobs.tasks.training_inputs import TrainSummary

__all__ = ["PickSummary", "TrainSummary", "run_fewshot", "run_iterate", "run_pick", "run_train"]
