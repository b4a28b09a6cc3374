"""The diameter of a job: found once where it is ``auto``, and a given one looked at once.

What was found is kept in the job's spool: a job that is continued, also with more micrographs,
takes it from there and looks at nothing again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from frostpick.errors import ConfigError, Wording, counted, option
from frostpick.models.picking_model import PickingModel
from frostpick.picking.own_scale import (
    DIAMETERS_A,
    ENOUGH,
    FEWEST,
    ScalePlan,
    check_diameter,
    decided,
    find_diameter,
)
from frostpick.picking.scale_curve import ScaleCurve
from frostpick.report.figure import Figure
from frostpick.report.own_scale import scale_figure
from frostpick.runtime.atomic import write_text
from frostpick.runtime.executors.local import LocalExecutor
from frostpick.runtime.run_record import RunRecord
from frostpick.settings import AUTO, ScaleSettings
from frostpick.types import Micrograph
from frostpick_jobs.job.endings import NothingYet
from frostpick_jobs.job.host import Host

log = logging.getLogger(__name__)

S = TypeVar("S", bound=ScaleSettings)

#: File in the spool.
STATE = "own_scale.json"
#: Finds the diameter, whatever the job trains or picks with.
FINDER = "general"
#: From so many micrographs on a growing session decides by what there is.
LATEST = 20


@dataclass(frozen=True)
class Scale(Generic[S]):
    """Settings with a diameter in Angstrom, or with none where the model's own holds.

    Parameters
    ----------
    figures
        The curve, where the diameter was found or seems wrong.
    """

    settings: S
    figures: Sequence[Figure] = ()


def settle_diameter(
    host: Host,
    record: RunRecord,
    settings: S,
    micrographs: Sequence[Micrograph],
    *,
    model: PickingModel | None,
    own_A: float | None = None,
    live: bool = False,
) -> Scale[S]:
    """Return the settings with the diameter that holds for the whole job.

    ``auto`` is ``own_A`` where there is one; else `find_diameter` finds it, or did so in an
    earlier run of the job. A number is compared with the images (`check_diameter`) where
    ``model`` takes particles of any size, and one that is far off is told, in log and record.

    Parameters
    ----------
    model
        What the job picks with or starts from; None for none.
    own_A
        Diameter in Angstrom that a model of the job was trained for.
    live
        The session of the job still grows.

    Raises
    ------
    ConfigError
        There are no micrographs to look at, or they show no particles.
    NothingYet
        The same in a session that still grows, or too few particles to decide by.
    """
    if settings.diameter != AUTO:
        return Scale(settings, _look_at_given(host, record, settings, micrographs, model))
    if own_A is not None:
        log.info("diameter: %g A, which the model was trained for", own_A)
        return Scale(settings.model_copy(update={"diameter": None}))
    finder = host.models.picking(FINDER)
    basis = _basis(settings, finder)
    kept = _read(host.spool / STATE, basis)
    if kept is not None:
        curve, before = ScaleCurve.of(kept["curve"]), True
        diameter = float(kept["diameter_A"])
    else:
        curve, before = _found(host, settings, micrographs, finder, live), False
        diameter = float(round(decided(curve)))
        state = {"basis": basis, "diameter_A": diameter, "curve": curve.told()}
        write_text(host.spool / STATE, json.dumps(state, indent=1) + "\n")
    _tell(curve, diameter, before=before)
    if curve.most < ENOUGH:
        weak = Wording(
            f"the diameter of {diameter:g} A was found by {counted(round(curve.most), 'particle')} "
            f"alone: look at the pictures, and give {option('diameter')} in a new job if it is "
            "another"
        )
        log.warning("%s", weak)
        record.warn(weak)
    record.add(diameter_A=diameter, own_scale={"diameter_A": diameter, **curve.told()})
    host.take_diameter(diameter)
    found = settings.model_copy(update={"diameter": diameter})
    return Scale(found, [scale_figure(curve, diameter)])


def _found(
    host: Host,
    settings: ScaleSettings,
    micrographs: Sequence[Micrograph],
    finder: PickingModel,
    live: bool,
) -> ScaleCurve:
    if not micrographs:
        raise ConfigError(
            f"{option('diameter', 'auto')} looks at micrographs, and this job has none: give "
            f"{option('diameter')} in Angstrom"
        )
    executor = LocalExecutor(settings.device, settings.threads, most=1)
    curve = find_diameter(finder, micrographs, _plan(settings, finder), executor, host.reporter)
    wanted = ENOUGH if len(micrographs) < LATEST else FEWEST
    if live and curve.most < wanted:
        raise NothingYet(
            f"nothing to do yet: {option('diameter', 'auto')} has seen "
            f"{counted(round(curve.most), 'particle')} on {len(micrographs)} micrographs and waits "
            f"for {wanted:g}; give {option('diameter')} in Angstrom to begin at once"
        )
    return curve


def _look_at_given(
    host: Host,
    record: RunRecord,
    settings: ScaleSettings,
    micrographs: Sequence[Micrograph],
    model: PickingModel | None,
) -> list[Figure]:
    """Tell of a given diameter that is far off; looked at once in a job."""
    given = settings.diameter_A
    if given is None or model is None or not _sees_any_size(model):
        return []
    if not DIAMETERS_A[0] / 1.1 <= given <= DIAMETERS_A[-1] * 1.1 or not micrographs:
        return []
    basis = {**_basis(settings, model), "given": given}
    kept = _read(host.spool / STATE, basis)
    if kept is None:
        plan = _plan(settings, model)
        executor = LocalExecutor(settings.device, settings.threads, most=1)
        checked = check_diameter(model, micrographs, given, plan, executor, host.reporter)
        kept = {"basis": basis, "diameter_A": checked.better_A, "curve": checked.curve.told()}
        if checked.says_anything:
            write_text(host.spool / STATE, json.dumps(kept, indent=1) + "\n")
    if kept["diameter_A"] is None:
        return []
    curve, better = ScaleCurve.of(kept["curve"]), float(kept["diameter_A"])
    warning = Wording(
        f"a diameter of {given:g} A does not fit: on {counted(curve.micrographs, 'micrograph')} "
        f"{curve.most:.0f} particles are sure at {better:.0f} A, and {curve.surplus_at(given):.0f} "
        f"at {given:g} A; check the pixel size, and give {option('diameter', f'{better:.0f}')} or "
        "auto if the pictures agree"
    )
    log.warning("%s", warning)
    record.warn(warning)
    record.add(own_scale={"better_A": better, **curve.told()})
    return [scale_figure(curve, better, given)]


def _sees_any_size(model: PickingModel) -> bool:
    learned = any(True for _ in model.network.parameters())
    return model.card.kind == "dense" and model.card.diameter_A is None and learned


def _plan(settings: ScaleSettings, model: PickingModel) -> ScalePlan:
    return ScalePlan(settings.pixel_size, settings.contrast or model.card.contrast)


def _basis(settings: ScaleSettings, model: PickingModel) -> dict[str, Any]:
    """Return what a diameter stands on, as JSON values: all but the micrographs."""
    plan = _plan(settings, model)
    return {"pixel_size": plan.pixel_size_A, "contrast": plan.contrast, "model": model.digest}


def _read(path: Path, basis: dict[str, Any]) -> dict[str, Any] | None:
    """Return what an earlier run kept on the same basis; None where it kept nothing."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["basis"] != basis:
            return None
        ScaleCurve.of(kept["curve"])
        return {"diameter_A": kept["diameter_A"], "curve": kept["curve"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _tell(curve: ScaleCurve, diameter: float, *, before: bool) -> None:
    seen = counted(curve.micrographs, "micrograph")
    origin = "found by an earlier run of this job" if before else f"found on {seen}"
    log.info("diameter: %g A (%s, by about %.0f particles)", diameter, origin, curve.most)
    if curve.others_A:
        others = " and ".join(f"{one:.0f}" for one in curve.others_A)
        log.info(
            "diameter: much is found at %s A too, another kind of object or parts of the "
            "particles; the picture of the diameter shows it",
            others,
        )
    if curve.best in (0, len(curve.diameters_A) - 1):
        end = "smaller" if curve.best == 0 else "larger"
        log.warning(
            "diameter: %g A is the end of what is looked for; the particles may be %s",
            diameter,
            end,
        )
