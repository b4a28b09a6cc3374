"""How good picks are: matching to the truth, AP and F1, localisation, calibration."""

from frostpick.evaluation.calibration_error import calibration_error
from frostpick.evaluation.evaluate import evaluate
from frostpick.evaluation.matching import RULES, Rule
from frostpick.evaluation.result import Evaluation, MicrographFigures, OperatingPoint
from frostpick.evaluation.truth import Border, Truth

__all__ = [
    "RULES",
    "Border",
    "Evaluation",
    "MicrographFigures",
    "OperatingPoint",
    "Rule",
    "Truth",
    "calibration_error",
    "evaluate",
]
