"""Which way few-shot picking goes from exemplars to a model, and from how many."""

import numpy as np
import pytest

from frostpick import fewshot
from frostpick.errors import LabelError
from frostpick.settings import FewshotSettings
from frostpick.settings.model_ref import ModelKind
from frostpick.types import Labels


def not_asked(text: str) -> ModelKind:
    raise AssertionError(f"no model is given, and {text} was asked for")


def test_auto_takes_the_shipped_network_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for names, method in ((("blob",), "cryomae"), (("blob", "general"), "pu")):
        monkeypatch.setattr(fewshot, "shipped_names", lambda names=names: names)
        asked = FewshotSettings(method="auto")
        assert fewshot.choose_method(asked, kind=not_asked) == method
        assert f"method: {method}, chosen by auto" in caplog.text
        assert fewshot.start_name(FewshotSettings()) == ("general" if method == "pu" else "none")
        assert fewshot.start_name(FewshotSettings(encoder="own")) == "own"
    assert fewshot.choose_method(FewshotSettings(method="cryomae"), kind=not_asked) == "cryomae"


def test_auto_takes_what_the_model_given_is_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    own = FewshotSettings(method="auto", encoder="own")
    assert fewshot.choose_method(own, kind=lambda text: "encoder") == "cryomae"
    assert fewshot.choose_method(own, kind=lambda text: "picking") == "pu"
    assert "method: pu, which the model own is for" in caplog.text


def test_three_exemplars_are_needed(caplog: pytest.LogCaptureFixture) -> None:
    def on(*counts: int) -> dict[str, Labels]:
        return {
            f"m{k}": Labels.from_xy(f"m{k}", np.arange(float(n)), np.arange(float(n)))
            for k, n in enumerate(counts)
        }

    caplog.set_level("INFO")
    fewshot.check_count(on(2, 0, 1))
    assert "3 exemplars on 2 micrographs" in caplog.text
    with pytest.raises(LabelError, match="at least 3 exemplars, found 2"):
        fewshot.check_count(on(1, 1))
    with pytest.raises(LabelError, match="no exemplar is on any of the micrographs"):
        fewshot.check_count(on(0))
