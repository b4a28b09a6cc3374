"""The commands of ``frostpick`` that are no task: read arguments, call the work, print."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from frostpick.errors import spelled
from frostpick.settings.threshold import RULES
from frostpick_jobs.cli.config_file import resolve_settings
from frostpick_jobs.cli.console import log_to_terminal
from frostpick_jobs.cli.parameters import Debug, Out, Overwrite
from frostpick_jobs.job.endings import COMPLETE, PARTIAL, unused_inputs

if TYPE_CHECKING:
    from frostpick.models.catalogue import Entry

log = logging.getLogger(__name__)


def select(
    out: Annotated[Path, typer.Argument(help="The output folder of pick.")],
    threshold: Annotated[
        str,
        typer.Option(help=f"{RULES}."),
    ],
    debug: Debug = False,
) -> None:
    """Choose another threshold for a finished pick. The network does not run again."""
    log_to_terminal()
    from frostpick_jobs.api import picking_job
    from frostpick_jobs.job.lifecycle import run_job
    from frostpick_jobs.tasks.select import run_select

    host = picking_job(out)
    raise typer.Exit(run_job(host, lambda: run_select(host, threshold), debug=debug))


def audit(
    out: Annotated[Path, typer.Argument(help="The output folder of pick, fewshot or prune.")],
    picks: Annotated[int, typer.Option(min=10, max=1000, help="How many picks to judge.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw.")] = 0,
    more: Annotated[
        bool, typer.Option("--more", help="Draw others beside those of before, all to count.")
    ] = False,
    new: Annotated[
        bool, typer.Option("--new", help="Draw anew for picks that have changed.")
    ] = False,
) -> None:
    """Judge some picks by eye: their precision, with its interval.

    The first time it writes OUT/audit: a page and a sheet of pictures, and a table to fill with
    yes and no. Given again it reads the table, and tells the precision with its interval.
    """
    log_to_terminal()
    from frostpick_jobs import api
    from frostpick_jobs.tasks.audit.run import told_lines

    result = api.audit(out, picks=picks, seed=seed, more=more, new=new)
    print("\n".join(told_lines(result, out)))


def clean(
    out: Annotated[
        Path,
        typer.Argument(
            help="The folder of a job: an output folder, that of a RELION job, or what a CryoSPARC "
            "job keeps on this machine."
        ),
    ],
    everything: Annotated[
        bool,
        typer.Option(
            "--everything",
            help="Remove what select and audit read too, and the work of an unfinished job.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
) -> None:
    """Remove what a finished job keeps only to go on.

    Tables, models and reports stay. A job that is running is refused.
    """
    log_to_terminal()
    from frostpick_jobs.commands import clean as command

    with command.cleaning(out, everything=everything) as found:
        print(spelled("\n".join(found.told())))
        if found.files and (yes or typer.confirm("Remove them?")):
            print(f"{command.remove(found)} files removed")


def evaluate(
    picks: Annotated[
        list[str], typer.Option("--picks", help="Picks with scores, or the folder of pick.")
    ],
    truth: Annotated[list[str], typer.Option("--truth", help="All true particles.")],
    diameter: Annotated[float, typer.Option(help="Longest dimension of the particle in Angstrom.")],
    pixel_size: Annotated[
        float | None, typer.Option(help="Pixel size in Angstrom, where no header tells it.")
    ] = None,
    micrographs: Annotated[
        list[str] | None,
        typer.Option(
            help="Micrographs to score: gives their shapes and pixel sizes, "
            "and counts every pick on one that the truth does not name as false."
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Also report precision and recall at this score, such as the threshold of pick."
        ),
    ] = None,
    allow_missing: Annotated[
        bool,
        typer.Option("--allow-missing", help="Go on without folders that cannot be read."),
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with status 3 where a micrograph is not scored.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare picks with the truth. Average precision, F1, localisation, calibration."""
    log_to_terminal()
    from frostpick_jobs.commands.evaluate import score_files, table

    figures = score_files(
        picks,
        truth,
        diameter,
        pixel_size,
        micrographs or [],
        threshold,
        allow_missing=allow_missing,
    )
    print(json.dumps(figures, indent=2) if as_json else table(figures))
    lost = unused_inputs(dict.fromkeys(figures.get("not_scored", ())))
    if lost:
        log.warning("%s", lost)
    raise typer.Exit(PARTIAL if strict and lost else COMPLETE)


def simulate(
    out: Out,
    micrographs: Annotated[int, typer.Option(min=1, help="Number of micrographs.")] = 12,
    size: Annotated[int, typer.Option(min=64, help="Side of a micrograph in pixels.")] = 1024,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    config: Annotated[
        Path | None, typer.Option(help="YAML file with any setting of the simulation.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Simulate micrographs of a made-up protein, with exact truth."""
    log_to_terminal()
    from frostpick.simulate.settings import SimulationSettings
    from frostpick_jobs.commands.simulate import write_dataset

    typed = {"micrographs": micrographs, "size": size, "seed": seed}
    settings = resolve_settings(SimulationSettings, config, typed)
    write_dataset(out, settings, overwrite=overwrite)


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for everything.")] = Path("demo"),
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 means all.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or GPU numbers.")] = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Simulate, train, pick and evaluate, and write OUT/report.html."""
    log_to_terminal()
    from frostpick_jobs.commands.demo import run_demo

    run_demo(out, device=device, threads=threads, overwrite=overwrite)


def list_models() -> None:
    """List the models that come with frostpick, and a facility's.

    A name without a version means the newest. A facility's lie in the folders of
    FROSTPICK_MODELS.
    """
    from frostpick.models.catalogue import catalogue, facility_catalogue

    for entry in catalogue():
        _list(entry)
    usable, wrong = facility_catalogue()
    for entry in usable.values():
        _list(entry, "  of this facility")
    for name, why in wrong.items():
        print(f"{name:12} not usable: {why}")


def _list(entry: Entry, whose: str = "") -> None:
    from frostpick.models.catalogue import USED_BY

    card = entry.card
    size = "asks for --diameter" if card.diameter_A is None else f"{card.diameter_A:g} A"
    rest = f"{card.network.name:12} {size:20} {USED_BY[card.kind]}{whose}"
    if entry.newest_of not in (None, entry.name):
        print(f"{entry.newest_of:12} {'= ' + entry.name:14} {rest}")
    print(f"{entry.name:12} {'':14} {rest}")


def show_model(
    model: Annotated[
        str,
        typer.Argument(
            help="A shipped or a facility's name, with or without its version, a model file or its "
            "folder."
        ),
    ],
) -> None:
    """Print a model's card and digest as JSON."""
    from frostpick.citations import citation_of
    from frostpick.models.catalogue import find_card

    card, digest = find_card(model)
    told = {**card.model_dump(mode="json"), "citation": citation_of(card), "digest": digest}
    print(json.dumps(told, indent=2))
