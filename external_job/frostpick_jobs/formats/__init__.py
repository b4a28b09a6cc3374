"""Files of picks and of micrographs, in and out: STAR, CSV, EMAN ``.box``, Topaz text."""

from frostpick_jobs.formats.micrograph_list import (
    MicrographRow,
    read_micrograph_list,
    read_micrographs_star,
)
from frostpick_jobs.formats.pick_reader import read_pick_files, read_picks
from frostpick_jobs.formats.pick_table import PickTable
from frostpick_jobs.formats.pick_writer import (
    csv_writer,
    star_list_writer,
    whole_pixels,
    write_csv,
    write_micrograph_star,
)
from frostpick_jobs.formats.star.read import StarTable, read_star_blocks
from frostpick_jobs.formats.star.relion_paths import relion_tail
from frostpick_jobs.formats.star.write import write_star_blocks

__all__ = [
    "MicrographRow",
    "PickTable",
    "StarTable",
    "csv_writer",
    "read_micrograph_list",
    "read_micrographs_star",
    "read_pick_files",
    "read_picks",
    "read_star_blocks",
    "relion_tail",
    "star_list_writer",
    "whole_pixels",
    "write_csv",
    "write_micrograph_star",
    "write_star_blocks",
]
