"""What to cite besides frostpick."""

BEPLER = (
    "T. Bepler et al., *Positive-unlabeled convolutional neural networks for particle picking in "
    "cryo-electron micrographs*, Nat. Methods 16, 1153 (2019)"
)
LI = "H. Li et al., J. Comput. Biol. 29, 1117 (2022)"
XU = "C. Xu, X. Zhan and M. Xu, *cryoMAE* (2024), where `method` is cryomae"
ZHU = "Y. Zhu et al., BMC Bioinformatics 18, 348 (2017)"
