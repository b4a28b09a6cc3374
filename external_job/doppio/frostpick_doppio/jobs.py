"""The jobs, one class for each task; the pipeliner finds them by their entry points.

Each runs frostpick's program for External jobs of RELION: what that leaves in the job's folder,
the pipeliner and RELION read as their own.
"""

from __future__ import annotations

import os
from typing import Dict, List, Sequence

from pipeliner.job_options import JobOptionValidationResult
from pipeliner.nodes import Node
from pipeliner.pipeliner_job import PipelinerCommand, PipelinerJob, Ref
from pipeliner.results_display_objects import ResultsDisplayObject

from frostpick_doppio.command import mistakes, words
from frostpick_doppio.display import displays
from frostpick_doppio.forms import Output, Value, form_of, version
from frostpick_doppio.options import job_options
from frostpick_doppio.program import command_of, program
from frostpick_doppio.results import record_of


class FrostpickJob(PipelinerJob):
    """A task of frostpick, by the form of its name in ``PROCESS_NAME``."""

    OUT_DIR = "AutoPick"
    CATEGORY_LABEL = "Automated Particle Picking"

    def __init__(self) -> None:
        super().__init__()
        self.form = form_of(self.PROCESS_NAME.partition(".")[2])
        info, form = self.jobinfo, self.form
        info.display_name, info.version = form.title, version()
        info.job_author = "the frostpick developers"
        info.short_desc = form.title.partition(": ")[2].capitalize()
        info.long_desc = form.summary
        info.programs = [program(form.program)]
        info.references = [Ref(**one) for one in form.references]
        # frostpick finds what it has finished in the job's folder, and does the rest.
        self.can_continue = self.always_continue_in_schedule = True
        self.joboptions.update(job_options(form))
        self.get_runtab_options(addtl_args=True)

    def additional_joboption_validation(self) -> List[JobOptionValidationResult]:
        """Return what does not go together, and a queue that is told of no threads."""
        found = [
            JobOptionValidationResult("error", [self.joboptions[one.name]], text)
            for one, text in mistakes(self.form, self._values())
        ]
        if self.is_submit_to_queue() and not self.joboptions["nr_threads"].value:
            text = "The queue reserves one core: say how many threads the job may use."
            found.append(
                JobOptionValidationResult("warning", [self.joboptions["nr_threads"]], text)
            )
        return found

    def get_nr_threads(self) -> int:
        """Return the threads that a queue is to reserve; 0 are all that the job may use."""
        return max(1, int(self.joboptions["nr_threads"].value or 0))

    def get_commands(self) -> List[PipelinerCommand]:
        """Return the one command of the job."""
        command = [
            command_of(self.form.program),
            *words(self.form, self._values(), self.output_dir),
        ]
        return [PipelinerCommand([*command, *self.parse_additional_args()])]

    def create_output_nodes(self) -> None:
        """Add the files that the job is certain to leave."""
        for one in self.form.outputs:
            if not one.only_if_written:
                self._add(one)

    def create_post_run_output_nodes(self) -> None:
        """Add the files that are there only where the job found reason to write them."""
        for one in self.form.outputs:
            if one.only_if_written and os.path.isfile(os.path.join(self.output_dir, one.file)):
                self._add(one)

    def get_current_output_nodes(self) -> List[Node]:
        """Return the nodes whose files are there and that the job has not, where it was stopped."""
        known: List[Node] = self.output_nodes
        self.output_nodes: List[Node] = []
        self.create_output_nodes()
        self.create_post_run_output_nodes()
        made, self.output_nodes = self.output_nodes, known
        names = {one.name for one in known}
        return [one for one in made if one.name not in names and os.path.isfile(one.name)]

    def gather_metadata(self) -> Dict[str, object]:
        """Return the job's run record: settings, counts, threshold, versions, warnings."""
        return record_of(self.output_dir) or {"No metadata": "the job has left no run.json"}

    def create_results_display(self) -> Sequence[ResultsDisplayObject]:
        """Return what Doppio shows of the job, while it runs and afterwards."""
        in_mics = self.joboptions["in_mics"].get_string() if "in_mics" in self.joboptions else ""
        return displays(self.output_dir, in_mics)

    def _add(self, one: Output) -> None:
        if not one.given or self.joboptions[one.given].value:
            self.add_output_node(one.file, one.node, list(one.keywords))

    def _values(self) -> Dict[str, Value]:
        return {one.name: self.joboptions[one.name].value for one in self.form.options}


class Train(FrostpickJob):
    """A picking model from labels, or from none."""

    PROCESS_NAME = "frostpick.train"


class Iterate(FrostpickJob):
    """A picking model in rounds."""

    PROCESS_NAME = "frostpick.iterate"


class Pick(FrostpickJob):
    """Picks on micrographs."""

    PROCESS_NAME = "frostpick.pick"


class Fewshot(FrostpickJob):
    """Picks, and a model, from about fifteen exemplars."""

    PROCESS_NAME = "frostpick.fewshot"


class Prune(FrostpickJob):
    """Rows of picks or particles, kept or rejected."""

    PROCESS_NAME = "frostpick.prune"


class Verify(FrostpickJob):
    """Rows of picks or particles with their scores."""

    PROCESS_NAME = "frostpick.verify"
