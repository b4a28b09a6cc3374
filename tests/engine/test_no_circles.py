"""No module imports another that imports it, in whatever way; a type-checking import counts."""

import grimp
import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

pytestmark = pytest.mark.quick


def circles(graph):
    """Sets of modules that reach each other."""
    names = sorted(graph.modules)
    number = {name: n for n, name in enumerate(names)}
    arrows = [
        (number[one], number[other])
        for one in names
        for other in graph.find_modules_directly_imported_by(one)
    ]
    rows, columns = np.array(arrows).T
    matrix = csr_array((np.ones(len(arrows)), (rows, columns)), shape=(len(names), len(names)))
    _, group = connected_components(matrix, directed=True, connection="strong")
    found = [[n for n, g in zip(names, group, strict=True) if g == one] for one in set(group)]
    return [sorted(some) for some in found if len(some) > 1]


def test_a_circle_is_found():
    graph = grimp.ImportGraph()
    for one, other in (("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")):
        graph.add_import(importer=one, imported=other)
    assert circles(graph) == [["a", "b", "c"]]


@pytest.mark.parametrize("package", ["frostpick", "frostpick_jobs"])
def test_there_are_no_circles(package):
    graph = grimp.build_graph(package, exclude_type_checking_imports=False, cache_dir=None)
    assert len(graph.modules) > 100
    assert circles(graph) == []
