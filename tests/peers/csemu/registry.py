"""
What the emulated server knows about slot data types and native job types.

SLOTS: dtype -> (output types it may appear on, required fields, optional fields)
Fields are (name, numpy dtype string); "2u4" means shape (2,) of u4.

Provenance of each entry is in PROVENANCE; "tools-tests" = min_fields literally
listed in cryosparc-tools' own tests (v4.7.1 tests/conftest.py, tests/test_job.py),
"tools-data" = column dtypes of real datasets in cryosparc-tools test fixtures,
"model" = names from cryosparc.models.exposure (types inferred), "assumed" = ours.
"""

PICK, EXP = ("particle",), ("exposure",)

_CTF = [
    ("type", "O"),
    ("exp_group_id", "u4"),
    ("accel_kv", "f4"),
    ("cs_mm", "f4"),
    ("amp_contrast", "f4"),
    ("df1_A", "f4"),
    ("df2_A", "f4"),
    ("df_angle_rad", "f4"),
    ("phase_shift_rad", "f4"),
]
_CTF_P = [
    ("scale", "f4"),
    ("scale_const", "f4"),
    ("shift_A", "2f4"),
    ("tilt_A", "2f4"),
    ("trefoil_A", "2f4"),
    ("tetra_A", "4f4"),
    ("anisomag", "4f4"),
    ("bfactor", "f4"),
]
_MODEL = [("path", "O"), ("type", "O")]

# (dtype, output type) -> (required, optional)
FIELDS = {
    ("location", "particle"): (
        [
            ("micrograph_uid", "u8"),
            ("exp_group_id", "u4"),
            ("micrograph_path", "O"),
            ("micrograph_shape", "2u4"),
            ("center_x_frac", "f4"),
            ("center_y_frac", "f4"),
        ],
        [("micrograph_psize_A", "f4"), ("min_dist_A", "f4")],
    ),
    ("pick_stats", "particle"): (
        [("ncc_score", "f4"), ("power", "f4"), ("template_idx", "u4"), ("angle_rad", "f4")],
        [],
    ),
    ("blob", "particle"): (
        [
            ("path", "O"),
            ("idx", "u4"),
            ("shape", "2u4"),
            ("psize_A", "f4"),
            ("sign", "f4"),
            ("import_sig", "u8"),
        ],
        [],
    ),
    ("ctf", "particle"): (_CTF + _CTF_P, []),
    ("alignments2D", "particle"): (
        [
            ("split", "u4"),
            ("shift", "2f4"),
            ("pose", "f4"),
            ("psize_A", "f4"),
            ("error", "f4"),
            ("error_min", "f4"),
            ("resid_pow", "f4"),
            ("slice_pow", "f4"),
            ("image_pow", "f4"),
            ("cross_cor", "f4"),
            ("alpha", "f4"),
            ("alpha_min", "f4"),
            ("weight", "f4"),
            ("pose_ess", "f4"),
            ("shift_ess", "f4"),
            ("class_posterior", "f4"),
            ("class", "u4"),
            ("class_ess", "f4"),
        ],
        [],
    ),
    ("micrograph_blob", "exposure"): (
        [
            ("path", "O"),
            ("idx", "u4"),
            ("shape", "2u4"),
            ("psize_A", "f4"),
            ("format", "O"),
            ("is_background_subtracted", "u4"),
        ],
        [("vmin", "f4"), ("vmax", "f4"), ("import_sig", "u8")],
    ),
    ("mscope_params", "exposure"): (
        [
            ("accel_kv", "f4"),
            ("cs_mm", "f4"),
            ("total_dose_e_per_A2", "f4"),
            ("phase_plate", "u4"),
            ("neg_stain", "u4"),
            ("exp_group_id", "u4"),
        ],
        [("defect_path", "O"), ("beam_shift", "2f4"), ("beam_shift_known", "u4")],
    ),
    ("ctf", "exposure"): (
        [
            *_CTF,
            ("path", "O"),
            ("cross_corr_ctffind4", "f4"),
            ("ctf_fit_to_A", "f4"),
            ("fig_of_merit_gctf", "f4"),
        ],
        [],
    ),
    ("ctf_stats", "exposure"): (
        [
            ("type", "O"),
            ("cross_corr", "f4"),
            ("ctf_fit_to_A", "f4"),
            ("df_range", "2f4"),
            ("df_tilt_normal", "2f4"),
            ("diag_image_path", "O"),
            ("fit_data_path", "O"),
            ("ice_thickness_rel", "f4"),
            ("spectrum_dim", "u4"),
        ],
        [],
    ),
    ("stat_blob", "exposure"): (
        [("path", "O"), ("idx", "u4"), ("binfactor", "u4"), ("shape", "2u4"), ("psize_A", "f4")],
        [],
    ),
    ("thumbnail_blob", "exposure"): (
        [
            ("path", "O"),
            ("shape", "2u4"),
            ("format", "O"),
            ("binfactor", "u4"),
            ("micrograph_path", "O"),
        ],
        [],
    ),
    ("movie_blob", "exposure"): (
        [
            ("path", "O"),
            ("shape", "3u4"),
            ("psize_A", "f4"),
            ("is_gain_corrected", "u4"),
            ("format", "O"),
            ("has_defect_file", "u4"),
            ("import_sig", "u8"),
        ],
        [],
    ),
    # model carriers (assumed: the public client names the output *types* only)
    ("ml_model", "ml_model"): (_MODEL, []),
    ("topaz_model", "ml_model"): (_MODEL, []),
    ("deep_picker_model", "ml_model"): (_MODEL, []),
    ("hyperparameter", "hyperparameter"): ([("value", "f4")], []),
    ("blob", "template"): ([("path", "O"), ("idx", "u4"), ("shape", "2u4"), ("psize_A", "f4")], []),
    ("map", "volume"): ([("path", "O"), ("shape", "3u4"), ("psize_A", "f4")], []),
    ("mask", "mask"): ([("path", "O"), ("shape", "3u4"), ("psize_A", "f4")], []),
}

PROVENANCE = {
    (
        "location",
        "particle",
    ): "tools-tests (required); tools-data and v5 docs/guides/jobs.ipynb (optional pair)",
    ("pick_stats", "particle"): "tools-tests",
    ("blob", "particle"): "tools-tests",
    ("ctf", "particle"): "tools-tests",
    ("alignments2D", "particle"): "partly tools docs (names); dtypes assumed",
    ("micrograph_blob", "exposure"): "tools-data",
    ("mscope_params", "exposure"): "tools-data + model",
    ("movie_blob", "exposure"): "tools-data",
    ("ctf", "exposure"): "model (names); dtypes assumed",
    ("ctf_stats", "exposure"): "model (names); dtypes assumed",
    ("stat_blob", "exposure"): "model (names); dtypes assumed",
}

# slot names that are not equal to their dtype on the native side (tools v5 docs/guides/jobs.ipynb)
NATIVE_SLOT_DTYPES = {
    "background_blob": "stat_blob",
    "micrograph_thumbnail_blob_1x": "thumbnail_blob",
    "micrograph_thumbnail_blob_2x": "thumbnail_blob",
    "micrograph_blob_non_dw": "micrograph_blob",
    "micrograph_blob_non_dw_AB": "micrograph_blob",
    "micrograph_blob_denoised": "micrograph_blob",
}


def known_dtype(dtype: str, otype: str) -> bool:
    return (dtype, otype) in FIELDS


def S(name, dtype=None, required=True):
    return {"name": name, "dtype": dtype or name, "required": required}


# Native job types: enough to build the other side of a connection. inputs: name -> (type, min, max, slots)
# src: where the slots were read.
JOBS = {
    "snowflake": dict(
        title="External", category="utilities", inputs={}, outputs={}, params={}, src="tools.py"
    ),
    "import_micrographs": dict(
        title="Import Micrographs",
        category="import",
        inputs={},
        outputs={},
        params={},
        src="seed only",
    ),
    "patch_ctf_estimation_multi": dict(
        title="Patch CTF Estimation",
        category="ctf_estimation",
        inputs={},
        outputs={},
        params={},
        src="seed only",
    ),
    "manual_picker": dict(
        title="Manual Picker",
        category="particle_picking",
        inputs={},
        outputs={},
        params={},
        src="seed only",
    ),
    "inspect_picks_v2": dict(
        title="Inspect Particle Picks",
        category="particle_picking",
        inputs={
            "micrographs": ("exposure", 1, "inf", [S("micrograph_blob")]),
            "particles": ("particle", 1, "inf", [S("location"), S("pick_stats")]),
        },
        outputs={
            "micrographs": ("exposure", "micrographs", [S("micrograph_blob")]),
            "particles": ("particle", "particles", [S("location")]),
        },
        params={},
        src="outputs: v5 docs/guides/jobs.ipynb; interactive actions: v5 docs/examples/custom-workflow.ipynb; "
        "inputs assumed",
    ),
    "extract_micrographs_cpu_parallel": dict(
        title="Extract From Micrographs (CPU)",
        category="extraction",
        inputs={
            "micrographs": (
                "exposure",
                1,
                "inf",
                [
                    S("micrograph_blob"),
                    S("background_blob", "stat_blob", False),
                    S("mscope_params"),
                    S("ctf", None, False),
                ],
            ),
            "particles": (
                "particle",
                1,
                "inf",
                [S("location"), S("alignments2D", None, False), S("alignments3D", None, False)],
            ),
        },
        outputs={
            "micrographs": ("exposure", "micrographs", [S("micrograph_blob")]),
            "particles": ("particle", "particles", [S("blob"), S("location")]),
        },
        params={
            "box_size_pix": ("integer", 256),
            "flip_x": ("boolean", False),
            "flip_y": ("boolean", False),
        },
        src="v5 docs/guides/jobs.ipynb (print_input_spec / print_param_spec)",
    ),
    "class_2D_new": dict(
        title="2D Classification (NEW)",
        category="particle_curation",
        inputs={"particles": ("particle", 1, "inf", [S("blob"), S("ctf")])},
        outputs={},
        params={"class2D_K": ("integer", 50)},
        src="guide page job-2d-classification: blob and ctf required; not runnable here",
    ),
}
RUNNABLE = {"inspect_picks_v2", "extract_micrographs_cpu_parallel"}
