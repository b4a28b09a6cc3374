"""What was found at each diameter, and which one was taken."""

from __future__ import annotations

import numpy as np

from frostpick.errors import counted
from frostpick.picking.scale_curve import ScaleCurve
from frostpick.report.figure import (
    BLUE,
    GREEN,
    GREY,
    VERMILLION,
    WIDTH_IN,
    Figure,
    drawing,
    finished,
)

#: Of the figure.
NAME = "own_scale"


def scale_figure(curve: ScaleCurve, chosen_A: float, given_A: float | None = None) -> Figure:
    """Draw the particles that are found against the diameter that is looked for.

    Parameters
    ----------
    chosen_A
        Diameter in Angstrom that was taken, or that would fit better.
    given_A
        Diameter that was given, where it was.
    """
    diameters = curve.diameters_A
    with drawing(WIDTH_IN, 3.9) as canvas:
        axes = canvas.add_subplot()
        axes.plot(diameters, curve.likely, "o--", color=GREY, ms=5, lw=1.4, label="picks, P > .5")
        axes.plot(diameters, curve.surplus, "o-", color=BLUE, ms=6, label="surplus of particles")
        word = "taken" if given_A is None else "fits best"
        axes.axvline(chosen_A, color=GREEN, lw=1.8, label=f"{word}: {chosen_A:.0f} A")
        if given_A is not None:
            axes.axvline(given_A, color=VERMILLION, lw=1.8, ls=":", label=f"given: {given_A:.0f} A")
        axes.set_xscale("log")
        axes.set_xticks(diameters, [f"{d:.0f}" for d in diameters])
        axes.set_xticks([], minor=True)
        top = float(np.max(curve.likely, initial=1.0))
        axes.set(xlabel="diameter looked for (A)", ylabel="found", ylim=(0, 1.08 * top))
        axes.legend(loc="best")
        others = ""
        if curve.others_A:
            names = " and ".join(f"{one:.0f}" for one in curve.others_A)
            others = (
                f" Much is found at {names} A too: objects of another size, or parts of the "
                "particles."
            )
        return finished(
            canvas,
            NAME,
            f"The diameter: picks on {counted(curve.micrographs, 'micrograph')} at each diameter. "
            "The surplus is the expected number of particles less that of false picks among those "
            f"with a probability above one half; it is largest at {curve.best_A:.0f} A.{others}",
        )
