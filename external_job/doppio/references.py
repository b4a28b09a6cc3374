"""What to cite, in the fields that the pipeliner's reports have: the papers of the declarations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from frostpick_jobs.tasks.declarations.citations import BEPLER, LI, XU, ZHU

_PAPERS: dict[str, dict[str, Any]] = {
    BEPLER: {
        "authors": [
            "Bepler T",
            "Morin A",
            "Rapp M",
            "Brasch J",
            "Shapiro L",
            "Noble AJ",
            "Berger B",
        ],
        "title": "Positive-unlabeled convolutional neural networks for particle picking in "
        "cryo-electron micrographs.",
        "journal": "Nat. Methods",
        "year": "2019",
        "volume": "16",
        "pages": "1153",
        "doi": "10.1038/s41592-019-0575-8",
    },
    LI: {
        "authors": ["Li H", "Chen G", "Gao S", "Li J", "Wan X", "Zhang F"],
        "title": "A Transfer Learning-Based Classification Model for Particle Pruning in "
        "Cryo-Electron Microscopy.",
        "journal": "J. Comput. Biol.",
        "year": "2022",
        "volume": "29",
        "pages": "1117",
        "doi": "10.1089/cmb.2022.0101",
    },
    XU: {
        "authors": ["Xu C", "Zhan X", "Xu M"],
        "title": "CryoMAE: Few-Shot Cryo-EM Particle Picking with Masked Autoencoders.",
        "journal": "arXiv",
        "year": "2024",
        "pages": "2404.10178",
    },
    ZHU: {
        "authors": ["Zhu Y", "Ouyang Q", "Mao Y"],
        "title": "A deep convolutional neural network approach to single-particle recognition in "
        "cryo-electron microscopy.",
        "journal": "BMC Bioinformatics",
        "year": "2017",
        "volume": "18",
        "pages": "348",
        "doi": "10.1186/s12859-017-1757-y",
    },
}


def references_of(citations: Iterable[str]) -> list[dict[str, Any]]:
    """Return the papers that some citations name, each once, in the order of the citations.

    Raises
    ------
    ValueError
        A citation names a paper that is not here.
    """
    found: dict[str, dict[str, Any]] = {}
    for text in citations:
        for one in filter(None, text.split("; ")):
            if one not in _PAPERS:
                raise ValueError(f"{one!r}: no such paper in {__name__}.py; add its fields")
            found[one] = _PAPERS[one]
    return list(found.values())
