"""The names that the packages offer are there, and are all of them."""

import importlib
import subprocess
import sys

import pytest

from frostpick_jobs import api, api_finished

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("package", ["frostpick", "frostpick_jobs"])
def test_every_public_name_loads(package) -> None:
    module = importlib.import_module(package)
    for name in module.__all__:
        assert getattr(module, name) is not None
    assert set(module._WHERE) | {"__version__"} == set(module.__all__) | {"__version__"}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = module.nothing


def test_importing_the_packages_loads_no_torch() -> None:
    code = "import sys, frostpick, frostpick_jobs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["select", "picks_of", "audit", "picking_job"])
def test_functions_of_finished_jobs_are_those_of_api(name) -> None:
    assert getattr(api, name) is getattr(api_finished, name)
