"""Which way few-shot picking goes from exemplars to a model, and from how many."""

import numpy as np
import pytest

from frostpick import fewshot
from frostpick.errors import LabelError
from frostpick.settings import FewshotSettings
from frostpick.types import Labels


def test_auto_takes_the_shipped_network_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for names, method in ((("blob",), "cryomae"), (("blob", "general"), "pu")):
        monkeypatch.setattr(fewshot, "shipped_names", lambda names=names: names)
        assert fewshot.choose_method(FewshotSettings(method="auto")) == method
        assert f"method: {method}, chosen by auto" in caplog.text
        assert fewshot.start_name(FewshotSettings()) == ("general" if method == "pu" else "none")
        assert fewshot.start_name(FewshotSettings(model="own")) == "own"
    assert fewshot.choose_method(FewshotSettings(method="cryomae")) == "cryomae"


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
