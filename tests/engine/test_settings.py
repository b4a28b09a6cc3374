"""What every setting tells beside its type, and the types that settings have of their own."""

import subprocess
import sys

import pytest

import frostpick.settings as settings
from frostpick.errors import ConfigError
from frostpick.settings.field import GROUPS, about, values_of
from frostpick.settings.model_ref import model_ref

pytestmark = pytest.mark.quick

KINDS = [
    settings.TrainSettings,
    settings.IterateSettings,
    settings.PickSettings,
    settings.FewshotSettings,
    settings.PruneSettings,
    settings.VerifySettings,
    settings.PretrainSettings,
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_says_what_a_form_needs(kind) -> None:
    for name, info in kind.model_fields.items():
        told = about(info)
        assert told.group in GROUPS
        assert info.description, name
        assert told.path is None or model_ref(info) is None, name  # a model needs no path


def test_a_setting_declared_by_hand_is_refused() -> None:
    class Odd(settings.Settings):
        number: int = 3

    with pytest.raises(TypeError, match="without setting"):
        about(Odd.model_fields["number"])


#: Of every task.
COMMON = {"device", "threads", "overwrite", "strict", "allow_missing"}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (settings.TrainSettings, COMMON | {"restart", "license"}),
        (
            settings.PickSettings,
            COMMON
            | {"threshold", "renew_threshold", "max_micrographs", "live", "output_picks"}
            | {"star_per_micrograph"},
        ),
        (settings.PruneSettings, COMMON | {"threshold", "restart", "license"}),
    ],
)
def test_what_changes_no_result_is_not_in_a_resume_key(kind, expected) -> None:
    assert kind.without_effect() == expected  # the seed is not among them: it changes results


def test_words_of_a_choice() -> None:
    fields = settings.FewshotSettings.model_fields
    assert values_of(fields["picking_rule"]) == ("disc-nms", "density-cut")
    assert values_of(fields["diameter"]) == ()


def test_a_threshold_is_read_from_text_or_number_and_written_as_text() -> None:
    one = settings.PickSettings(threshold=1.5)
    assert (one.threshold.kind, one.threshold.value, str(one.threshold)) == ("score", 1.5, "1.5")
    assert one.model_dump()["threshold"] == "1.5"
    assert settings.PickSettings(**one.model_dump()) == one
    asked = settings.PickSettings(threshold="precision = 0.9").threshold
    assert (asked.kind, asked.value) == ("precision", 0.9)


@pytest.mark.parametrize("text", ["half", "p=1.5", "nan", "precision="])
def test_a_threshold_that_is_none_is_refused_when_the_settings_are_read(text) -> None:
    with pytest.raises(ConfigError, match="expected auto, a score"):
        settings.resolve(settings.PickSettings, ("command line", {"threshold": text}))


@pytest.mark.parametrize("text", ["auto", "cpu", "cuda", "0", "0,1", "cuda:1,0", "0:1", ""])
def test_a_device_in_any_spelling(text) -> None:
    assert settings.PickSettings(device=text).device == text


def test_a_device_that_is_none_is_refused_when_the_settings_are_read() -> None:
    with pytest.raises(ConfigError, match=r"device 'gpu zero' is not known"):
        settings.PickSettings(device="gpu zero")


def test_models_are_marked_with_what_they_are_for() -> None:
    fields = settings.IterateSettings.model_fields
    pruner, start = model_ref(fields["pruner"]), model_ref(fields["start_model"])
    assert pruner is not None and start is not None
    assert (pruner.kind, start.kind, start.or_none) == ("pruner", "picking", True)
    assert model_ref(fields["diameter"]) is None


def test_settings_load_without_numpy_and_torch() -> None:
    code = "import sys, frostpick.settings; sys.exit(bool({'numpy', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
