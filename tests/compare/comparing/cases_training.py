"""``frostpick`` on a folder: training, iterating, pretraining; the demo and the examples."""

from __future__ import annotations

import shutil
import time

from comparing.case import named
from comparing.data import DIAMETER
from comparing.running import STEPS, Run

MICROGRAPHS = ("--micrographs", "micrographs")
SCALE = ("--diameter", DIAMETER)
LABELS = ("--picks", "labels.csv")
ONE_EPOCH = ("--epochs", "1")
#: From the README's section on Python, shortened.
SCRIPT = """
from pathlib import Path
import frostpick, frostpick_jobs

if __name__ == "__main__":
    image = frostpick.read_image(Path("few/sim_000.mrc"), "sim_000.mrc")
    model = frostpick.load_model("blob")
    plan = frostpick.plan_picking(model, frostpick.PickSettings(diameter={diameter}))
    found = frostpick.pick_image(model, image.data, image.pixel_size_A, plan)
    print(found.picks.x_px.tolist(), found.picks.y_px.tolist(), found.picks.score.tolist())
    given = {{"diameter": {diameter}}}
    trained = frostpick_jobs.train(
        "train", micrographs="few", picks="labels.csv", epochs=1, **given
    )
    print(trained.model_path, trained.training["chosen_step"])
    picked = frostpick_jobs.pick("pick", micrographs="few", model=trained.model_path)
    print(picked.selected, "particles, threshold", picked.threshold)
    print(frostpick_jobs.select("pick", "p=0.7").selected)
    few = frostpick_jobs.fewshot(
        "few_shot", micrographs="few", exemplars="fifteen.csv", steps=20, **given
    )
    print(few.selected)
    where = {{"micrographs": "few", "picks": "pick/picks.star"}}
    print(type(frostpick_jobs.prune("clean", **where, **given)).__name__)
    print(type(frostpick_jobs.verify("verified", **where, **given)).__name__)
    print(frostpick_jobs.score_files(["pick"], ["truth.csv"], {diameter}, micrographs=["few"]))
    print(sorted(frostpick.__all__), sorted(frostpick_jobs.__all__))
"""


def train(run: Run) -> None:
    """Train from the shipped model on some picks, again with nothing to do, and pick with it."""
    run.give("micrographs", "labels.csv")
    words = ("frostpick", "train", *MICROGRAPHS, *LABELS, *SCALE, *ONE_EPOCH, "-o", "train")
    run.command(*words)
    run.command(*words)
    run.command("frostpick", "pick", *MICROGRAPHS, "--model", "train/model", "-o", "pick")
    run.command("frostpick", "models", "show", "train/model")


def train_own_picks(run: Run) -> None:
    """Train on the shipped model's own picks, as long as it takes by itself."""
    run.give("few")
    run.command("frostpick", "train", "--micrographs", "few", *SCALE, "-o", "adapt")


def train_networks(run: Run) -> None:
    """Train from nothing: each objective, DeepEM's network and rule, a few labels."""
    run.give("few", "labels.csv", "fifteen.csv")
    words = ("frostpick", "train", "--micrographs", "few", *SCALE, *ONE_EPOCH)
    for objective in ("ge-binomial", "ge-kl", "pn"):
        network = ("--network", "conv31", "--objective", objective)
        run.command(*words, *LABELS, *network, "-o", objective)
    deepem = ("--network", "deepem", "--selector", "four-rotations", "--seed", "2")
    run.command(*words, *LABELS, *deepem, "-o", "deepem")
    run.command(
        "frostpick", "pick", "--micrographs", "few", "--model", "deepem/model", "-o", "pick"
    )
    start = ("--from", "none", "--picks", "fifteen.csv", "--expected-per-micrograph", "25")
    run.command(*words, *start, "-o", "few_labels")


def train_stopped(run: Run) -> None:
    """Stop a training somewhere by SIGTERM, then give the same command again."""
    run.give("micrographs", "labels.csv")
    words = ("frostpick", "train", *MICROGRAPHS, *LABELS, *SCALE, "--epochs", "5")
    words += ("--network", "conv31", "-o", "train")
    said = run.at / STEPS / "01_frostpick_train" / "stderr"
    began: list[float] = []

    def half_a_second_later() -> bool:
        if not began and b"held out" in said.read_bytes():
            began.append(time.monotonic())
        return bool(began) and time.monotonic() > began[0] + 0.5

    run.command(*words, expect=143, stop_when=half_a_second_later)
    run.command(*words)


def iterate(run: Run) -> None:
    """One round from the shipped model; rounds within a training."""
    run.give("few", "labels.csv")
    words = ("--micrographs", "few", *LABELS, *SCALE, *ONE_EPOCH)
    run.command("frostpick", "iterate", *words, "-o", "iterate")
    train = ("--rounds", "1", "--network", "conv31")
    run.command("frostpick", "train", *words, *train, "-o", "train")


def iterate_from_nothing(run: Run) -> None:
    """Two rounds from nothing, with DeepEM's network and without the pruner."""
    run.give("few", "labels.csv")
    words = ("--micrographs", "few", *LABELS, *SCALE, *ONE_EPOCH, "--rounds", "2")
    network = ("--network", "conv31", "--pruner", "none")
    run.command("frostpick", "iterate", *words, *network, "-o", "iterate")


def pretrain_mae(run: Run) -> None:
    """Pretrain the few-shot encoder on simulations and on micrographs."""
    run.give("few")
    words = ("frostpick", "pretrain", "--method", "mae", "--steps", "4")
    run.command(*words, "-o", "simulated")
    run.command(*words, "--micrographs", "few", *SCALE, "-o", "micrographs")


def pretrain_pruner(run: Run) -> None:
    """Pretrain the pruner on a few simulated micrographs."""
    few = ("--corpus", "20", "--steps", "6")
    run.command("frostpick", "pretrain", "--method", "pruner", *few, "-o", "pruner")


def pretrain_picker(run: Run) -> None:
    """Pretrain the picker on a few simulated micrographs."""
    few = ("--corpus", "20", "--steps", "6")
    run.command("frostpick", "pretrain", "--method", "picker", *few, "-o", "picker")


def demo(run: Run) -> None:
    """The demo, whole; its micrographs are there already, with file times that are the same."""
    words = ("--micrographs", "14", "--size", "1024", "--seed", "11")
    run.command("frostpick", "simulate", "-o", "all", *words)
    for path in sorted((run.at / "all" / "micrographs").iterdir()):
        part = "training" if int(path.stem[-3:]) < 9 else "held_out"
        target = run.at / "demo" / part / "micrographs" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    run.same_times("demo")
    run.command("frostpick", "demo", "-o", "demo")


def examples(run: Run) -> None:
    """The scripts of ``examples``, on micrographs that are there already."""
    scripts = run.at / "scripts"
    shutil.copytree(run.environment.tree / "examples", scripts)
    words = ("--micrographs", "5", "--size", "512", "-o", "out/data")
    run.command("frostpick", "simulate", *words)
    run.same_times("out/data")
    run.command("python", "scripts/train_and_pick.py", "out", "--epochs", "1")
    words = ("out/data/micrographs", "session", "--model", "out/train/model")
    run.command("python", "scripts/facility.py", *words, "--rounds", "2", "--every", "0")
    shutil.rmtree(scripts)  # their text may change with what they import


def from_python(run: Run) -> None:
    """The functions of ``frostpick_jobs``, and every public name."""
    run.give("few", "labels.csv", "fifteen.csv", "truth.csv")
    run.write("script.py", SCRIPT.format(diameter=DIAMETER))
    run.command("python", "script.py")


CASES = named(
    train,
    train_own_picks,
    train_networks,
    train_stopped,
    iterate,
    iterate_from_nothing,
    pretrain_mae,
    pretrain_pruner,
    pretrain_picker,
    demo,
    examples,
    from_python,
)
