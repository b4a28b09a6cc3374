"""``frostpick`` on a folder: picking, few-shot picking, pruning, verifying."""

from __future__ import annotations

from comparing.case import named
from comparing.data import DIAMETER
from comparing.running import Run

MICROGRAPHS = ("--micrographs", "micrographs")
FEW = ("--micrographs", "few")
SCALE = ("--diameter", DIAMETER)


def pick(run: Run) -> None:
    """Pick, again with nothing to do, another threshold, scores, one more micrograph."""
    run.give("few", "truth.csv")
    run.command("frostpick", "pick", *FEW, *SCALE, "-o", "pick")
    run.command("frostpick", "pick", *FEW, *SCALE, "-o", "pick")
    run.command("frostpick", "select", "pick", "--threshold", "precision=0.95")
    truth = ("--truth", "truth.csv", *SCALE)
    run.command("frostpick", "evaluate", "--picks", "pick", *truth, *FEW)
    run.command("frostpick", "evaluate", "--picks", "pick", *truth, *FEW, "--json")
    run.give("micrographs/sim_003.mrc", into="few")
    run.command("frostpick", "pick", *FEW, *SCALE, "--threshold", "p=0.6", "-o", "pick")


def pick_options(run: Run) -> None:
    """The classical picker, contrast found out, borders, a limit, all picks, a file of settings."""
    run.give("micrographs")
    run.write("job.yaml", f"diameter: {DIAMETER}\nmin-distance: 100\nborder: 0.5\nwrite: all\n")
    blob = ("--model", "blob", "--contrast", "auto", *SCALE, "--pixel-size", "4.1")
    run.command("frostpick", "pick", *MICROGRAPHS, *blob, "-o", "blob")
    limited = ("--micrographs", "micrographs/*.mrc", "--limit", "2", "--config", "job.yaml")
    run.command("frostpick", "pick", *limited, "-o", "limited")


def pick_stopped(run: Run) -> None:
    """Stop a pick by SIGTERM after two micrographs, then give the same command again."""
    large = ("--micrographs", "4", "--size", "2048", "--seed", "1")
    run.command("frostpick", "simulate", "-o", "large", *large)
    run.same_times("large")
    words = ("--micrographs", "large/micrographs", "--diameter", "160", "-o", "pick")
    stored = run.at / "pick" / ".frostpick" / "picks"

    def two_are_done() -> bool:
        return stored.is_dir() and len(list(stored.glob("*.npz"))) >= 2

    run.command("frostpick", "pick", *words, expect=143, stop_when=two_are_done)
    run.command("frostpick", "pick", *words)


def fewshot(run: Run) -> None:
    """Few-shot picking by training, then picking with its model."""
    run.give("few", "fifteen.csv")
    words = (*FEW, "--exemplars", "fifteen.csv", *SCALE, "--steps", "40")
    run.command("frostpick", "fewshot", *words, "-o", "few_shot")
    run.command("frostpick", "pick", *FEW, "--model", "few_shot/model", "-o", "pick")


def cryomae(run: Run) -> None:
    """Few-shot picking by cryoMAE, with its paper's threshold."""
    run.give("few", "fifteen.csv")
    words = (*FEW, "--exemplars", "fifteen.csv", *SCALE, "--method", "cryomae", "--steps", "20")
    run.command("frostpick", "fewshot", *words, "--selector", "density-cut", "-o", "out")


def prune(run: Run) -> None:
    """Prune picks with their own score and without any, cut elsewhere; then with that pruner."""
    run.give("micrographs", "few", "scored.csv", "noisy.csv")
    words = ("frostpick", "prune", *SCALE, "--picks", "scored.csv", *MICROGRAPHS)
    run.command(*words, "-o", "scored")
    run.command(*words, "--keep-at", "precision=0.9", "-o", "scored")
    words = ("frostpick", "prune", *FEW, "--picks", "noisy.csv", *SCALE)
    run.command(*words, "--no-four-rotations", "--expected-good", "0.5", "-o", "images_alone")
    run.command(*words, "--pruner", "scored/pruner", "--border", "0", "-o", "with_pruner")


def prune_labels(run: Run) -> None:
    """Prune picks with good and bad ones, with good ones alone, and use that pruner."""
    run.give("few", "noisy.csv", "good.csv", "bad.csv")
    words = ("frostpick", "prune", *FEW, *SCALE, "--picks", "noisy.csv")
    run.command(*words, "--good", "good.csv", "--bad", "bad.csv", "-o", "labels")
    run.command(*words, "--good", "good.csv", "-o", "good_alone")
    run.command(*words, "--pruner", "labels/pruner", "-o", "with_pruner")


def prune_mostly_good(run: Run) -> None:
    """Prune picks that are taken for mostly particles."""
    run.give("few", "noisy.csv")
    words = ("frostpick", "prune", *FEW, *SCALE, "--picks", "noisy.csv", "--mostly-good")
    run.command(*words, "-o", "mostly_good")


def prune_particles(run: Run) -> None:
    """Prune extracted particles, without labels and against the rest, and a stack alone."""
    run.give("relion/Extract", "relion/particles.star", "relion/good.star")
    words = ("frostpick", "prune", *SCALE, "--particles")
    run.command(*words, "particles.star", "-o", "alone")
    run.command(*words, "particles.star", "--good", "good.star", "--bad", "rest", "-o", "rest")
    run.command(*words, "Extract/job006/sim_000.mrcs", "--pixel-size", "4", "-o", "stack")


def verify(run: Run) -> None:
    """Verify picks and extracted particles."""
    run.give("few", "box", "relion/Extract", "relion/particles.star")
    run.command("frostpick", "verify", *FEW, *SCALE, "--picks", "box", "-o", "picks")
    particles = ("--particles", "particles.star")
    run.command("frostpick", "verify", *SCALE, *particles, "-o", "particles")


def formats(run: Run) -> None:
    """Read picks of every format, Topaz's at their own pixel size; score those that have one."""
    run.give("few", "truth.csv", "star", "box", "topaz", "relion/particles.star")
    train = ("frostpick", "train", *FEW, *SCALE, "--epochs", "1", "--network", "conv31")
    evaluate = ("frostpick", "evaluate", *FEW, "--truth", "truth.csv", *SCALE)
    for picks in ("star", "box", "particles.star"):
        run.command(*evaluate, "--picks", picks)
    run.command(*train, "--picks", "particles.star", "-o", "of_particles")
    run.command(*train, "--picks", "topaz", "--picks-pixel-size", "8", "-o", "of_topaz")


CASES = named(
    pick,
    pick_options,
    pick_stopped,
    fewshot,
    cryomae,
    prune,
    prune_labels,
    prune_mostly_good,
    prune_particles,
    verify,
    formats,
)
