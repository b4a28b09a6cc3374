"""Help of every command, the models' list, the simulator, and what is refused."""

from __future__ import annotations

from comparing.case import named
from comparing.data import DIAMETER
from comparing.running import Run

COMMANDS = (
    *("simulate", "train", "iterate", "pick", "fewshot", "pretrain", "select", "prune"),
    *("verify", "evaluate", "demo", "models", "cryosparc"),
)
ON_SERVER = ("login-check", "train", "iterate", "pick", "fewshot", "prune", "verify", "selftest")
IN_RELION = ("train", "iterate", "pick", "fewshot", "prune", "verify")
WITHOUT_DIAMETER = ("frostpick", "pick", "--micrographs", "few")


def help_texts(run: Run) -> None:
    """``--help`` of every command, versions."""
    run.command("frostpick", "--help")
    run.command("frostpick", "--version")
    run.command("frostpick", expect=2)
    for name in COMMANDS:
        run.command("frostpick", name, "--help")
    for name in ON_SERVER:
        run.command("frostpick", "cryosparc", name, "--help")
    for name in IN_RELION:
        run.command(f"frostpick-relion-{name}", "--help")
    run.command("frostpick-relion-pick", "--version")


def models(run: Run) -> None:
    """The shipped models and their cards."""
    run.command("frostpick", "models", "list")
    for name in ("general", "general-1", "blob", "pruner", "mae-tiny"):
        run.command("frostpick", "models", "show", name)


def simulate(run: Run) -> None:
    """Simulate twice into a folder, and a membrane protein."""
    words = ("frostpick", "simulate", "--micrographs", "2", "--size", "512", "--seed", "5")
    run.command(*words, "-o", "any")
    run.command(*words, "-o", "any")
    settings = "family: membrane\nsymmetry: C4\nmicelles: true\nviews: preferred\nnoise: low\n"
    run.write("membrane.yaml", settings)
    run.command(*words, "--config", "membrane.yaml", "-o", "membrane")


def refusals(run: Run) -> None:
    """Wrong options, missing files, a damaged micrograph: one sentence and an exit status."""
    run.give("few", "labels.csv")
    run.write("few/damaged.mrc", "this is no MRC file")
    run.write("wrong.yaml", "treshold: 1\n")
    scale = ("--diameter", DIAMETER)
    run.command(*WITHOUT_DIAMETER, *scale, "-o", "damaged")
    run.command(*WITHOUT_DIAMETER, "-o", "no_diameter", expect=1)
    run.command(*WITHOUT_DIAMETER, *scale, "--threshold", "high", "-o", "word", expect=1)
    run.command(*WITHOUT_DIAMETER, *scale, "--config", "wrong.yaml", "-o", "yaml", expect=1)
    run.command(*WITHOUT_DIAMETER, *scale, "--device", "cuda", "-o", "cuda", expect=1)
    run.command(*WITHOUT_DIAMETER, *scale, "--model", "nobody", "-o", "model", expect=1)
    run.command(*WITHOUT_DIAMETER, "--nonsense", expect=2)
    train = ("frostpick", "train", *scale, "--picks", "labels.csv", "-o", "train")
    run.command(*train, "--micrographs", "nowhere", expect=1)
    run.command(*train, "--micrographs", "few", "--network", "resnet9", expect=1)
    run.command("frostpick", "select", "train", "--threshold", "0", expect=1)
    run.command("frostpick", "prune", *scale, "-o", "prune", expect=1)
    run.command("frostpick", "fewshot", *WITHOUT_DIAMETER[2:], *scale, "-o", "few_shot", expect=2)


CASES = named(help_texts, models, simulate, refusals)
