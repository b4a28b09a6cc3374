"""Settings: precedence, unknown keys, wrong values; and no torch behind --help."""

import subprocess
import sys

import pytest

from frostpick.errors import ConfigError
from frostpick.settings import PickSettings, TrainSettings, resolve

pytestmark = pytest.mark.quick


def test_later_layers_win_and_none_is_not_given() -> None:
    settings = resolve(
        PickSettings,
        ("model card", {"diameter": 100.0, "min_distance": 80.0}),
        ("job.yaml", {"diameter": 120.0, "threads": 3}),
        ("command line", {"diameter": 150.0, "threads": None}),
    )
    assert (settings.diameter, settings.min_distance, settings.threads) == (150.0, 80.0, 3)


def test_dashes_and_underscores_are_one() -> None:
    settings = resolve(
        TrainSettings, ("x", {"start_model": "general", "expected-per-micrograph": "40"})
    )
    assert settings.start_model == "general" and settings.expected_per_micrograph == 40.0


def test_unknown_key_names_layer_and_neighbour() -> None:
    with pytest.raises(
        ConfigError, match=r"job\.yaml: unknown setting 'diametre'; did you mean 'diameter'"
    ):
        resolve(PickSettings, ("job.yaml", {"diametre": 100}))


def test_wrong_value_names_layer_and_value() -> None:
    with pytest.raises(
        ConfigError, match=r"command line: diameter = -3: input should be greater than 0"
    ):
        resolve(PickSettings, ("command line", {"diameter": -3}))


def test_a_diameter_is_a_length_or_auto() -> None:
    for given, expected in (("160", 160.0), (160, 160.0), ("Auto ", "auto"), (None, None)):
        settings = resolve(PickSettings, ("command line", {"diameter": given}))
        assert settings.diameter == expected
        assert settings.for_key(only={"diameter"}) == {"diameter": expected}
    with pytest.raises(ConfigError, match=r"diameter = '16o': .*a length in Angstrom, or auto"):
        resolve(PickSettings, ("job.yaml", {"diameter": "16o"}))
    assert PickSettings(diameter=160).diameter_A == 160.0 and PickSettings().diameter_A is None
    with pytest.raises(ConfigError, match="has not been found in the micrographs yet"):
        _ = PickSettings(diameter="auto").diameter_A


def test_a_number_does_for_a_text_and_a_truth_value_does_not() -> None:
    settings = resolve(PickSettings, ("job.yaml", {"threshold": 1.5, "device": 0}))
    assert (str(settings.threshold), settings.device) == ("1.5", "0")
    with pytest.raises(ConfigError, match=r"job\.yaml: device = True"):
        resolve(PickSettings, ("job.yaml", {"device": True}))


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        PickSettings().diameter = 3.0  # type: ignore[misc]


def test_no_torch_behind_help() -> None:
    modules = "frostpick.config, frostpick.settings, frostpick.types, frostpick.sampling"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
