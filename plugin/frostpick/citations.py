"""What to cite besides frostpick: in words, for cards and descriptions, and as BibTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frostpick._version import __version__

if TYPE_CHECKING:
    from frostpick.models.card import ModelCard

BEPLER = (
    "T. Bepler et al., *Positive-unlabeled convolutional neural networks for particle picking in "
    "cryo-electron micrographs*, Nat. Methods 16, 1153 (2019)"
)
LI = "H. Li et al., J. Comput. Biol. 29, 1117 (2022)"
XU = "C. Xu, X. Zhan and M. Xu, *cryoMAE* (2024), where `method` is cryomae"
ZHU = "Y. Zhu et al., BMC Bioinformatics 18, 348 (2017)"
VOSS = "Voss et al., J. Struct. Biol. 166, 205 (2009): difference-of-Gaussian picking"

_FROSTPICK = """\
@software{frostpick,
  author = {{The frostpick developers}},
  title = {frostpick: deep particle picking for cryo-EM},
  version = {%s}
}"""
#: Words of a citation that tell which it is -> its entry.
_ENTRIES = {
    "Nat. Methods 16, 1153": """\
@article{bepler2019,
  author = {Bepler, Tristan and Morin, Andrew and Rapp, Micah and Brasch, Julia and Shapiro,
    Lawrence and Noble, Alex J. and Berger, Bonnie},
  title = {Positive-unlabeled convolutional neural networks for particle picking in cryo-electron
    micrographs},
  journal = {Nature Methods}, volume = {16}, pages = {1153--1160}, year = {2019},
  doi = {10.1038/s41592-019-0575-8}
}""",
    "J. Comput. Biol. 29, 1117": """\
@article{li2022,
  author = {Li, Hongjia and Chen, Ge and Gao, Shan and Li, Jintao and Wan, Xiaohua and Zhang, Fa},
  title = {A transfer learning-based classification model for particle pruning in cryo-electron
    microscopy},
  journal = {Journal of Computational Biology}, volume = {29}, pages = {1117}, year = {2022},
  doi = {10.1089/cmb.2022.0101}
}""",
    "cryoMAE": """\
@misc{xu2024,
  author = {Xu, Chentianye and Zhan, Xueying and Xu, Min},
  title = {{CryoMAE}: few-shot cryo-{EM} particle picking with masked autoencoders},
  year = {2024}, eprint = {2404.10178}, archiveprefix = {arXiv}
}""",
    "BMC Bioinformatics 18, 348": """\
@article{zhu2017,
  author = {Zhu, Yanan and Ouyang, Qi and Mao, Youdong},
  title = {A deep convolutional neural network approach to single-particle recognition in
    cryo-electron microscopy},
  journal = {BMC Bioinformatics}, volume = {18}, pages = {348}, year = {2017},
  doi = {10.1186/s12859-017-1757-y}
}""",
    "J. Struct. Biol. 166, 205": """\
@article{voss2009,
  author = {Voss, N. R. and Yoshioka, C. K. and Radermacher, M. and Potter, C. S. and Carragher,
    B.},
  title = {{DoG} {P}icker and {T}ilt{P}icker: software tools to facilitate particle selection in
    single particle electron microscopy},
  journal = {Journal of Structural Biology}, volume = {166}, pages = {205--213}, year = {2009},
  doi = {10.1016/j.jsb.2009.01.004}
}""",
}


def citation_of(card: ModelCard) -> str:
    """Return what to cite for a model, also where its card is older than citations are.

    Parameters
    ----------
    card
        A shipped card stays as it is, for a model's digest is of its card too.
    """
    return card.citation or (BEPLER if card.kind == "dense" else "")


def bibtex(*citations: str) -> str:
    """Return BibTeX of frostpick and of everything that some citations name, each once.

    Parameters
    ----------
    citations
        Texts that hold those of this module.
    """
    cited = "; ".join(citations)
    entries = [entry for words, entry in _ENTRIES.items() if words in cited]
    return "\n\n".join([_FROSTPICK % __version__, *entries])
