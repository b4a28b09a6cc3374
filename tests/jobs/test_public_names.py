"""The names that the packages offer are there, and are all of them."""

import importlib
import subprocess
import sys

import pytest

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
