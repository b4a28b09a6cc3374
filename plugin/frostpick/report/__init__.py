"""Figures and the one-page HTML report.

Every figure function returns a `Figure`: a name, a PNG and a caption. The same
`Figure` goes to `Reporter.figure`, into `render_report` and into `write_figures_pdf`.
"""

from frostpick.report.accuracy import calibration_plot, precision_recall_compared
from frostpick.report.boxes import box_mosaic
from frostpick.report.counts import picks_per_micrograph
from frostpick.report.figure import Figure
from frostpick.report.micrographs import picks_on_micrograph
from frostpick.report.page import Section, Table, render_report
from frostpick.report.pdf import write_figures_pdf
from frostpick.report.scores import expected_precision_recall, expected_table, score_histogram
from frostpick.report.training import training_curves

__all__ = [
    "Figure",
    "Section",
    "Table",
    "box_mosaic",
    "calibration_plot",
    "expected_precision_recall",
    "expected_table",
    "picks_on_micrograph",
    "picks_per_micrograph",
    "precision_recall_compared",
    "render_report",
    "score_histogram",
    "training_curves",
    "write_figures_pdf",
]
