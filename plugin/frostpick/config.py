"""Settings of every task, and the one function that resolves them.

Each field is a command-line option of the same name (``_`` as ``-``), a RELION
parameter label, and a key of the YAML file; its description is the help text.
No torch here: ``--help`` imports this module.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from frostpick.errors import ConfigError

Objective = Literal["nnpu", "ge-binomial", "ge-kl", "pn"]
Contrast = Literal["dark", "light", "auto"]


class Settings(BaseModel):
    """Base of all settings: frozen, and an unknown key is an error.

    A number does for a text: YAML and scripts write ``threshold: 1.5`` and ``device: 0``.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, coerce_numbers_to_str=True
    )


class RunSettings(Settings):
    """Options that every task takes; none of them changes the science."""

    device: str = Field("auto", description="auto, cpu, cuda, or GPU numbers such as 0 or 0,1.")
    threads: int = Field(0, ge=0, description="CPU threads; 0 means all that this job may use.")
    seed: int = Field(0, ge=0, description="Seed of everything random.")


class ScaleSettings(RunSettings):
    """What fixes the scale of a data set."""

    diameter: float | None = Field(
        None, gt=0, description="Longest dimension of the particle in Angstrom."
    )
    pixel_size: float | None = Field(
        None,
        gt=0,
        description="Pixel size in Angstrom, where no STAR file or project tells it; "
        "wins over a header.",
    )
    contrast: Contrast | None = Field(
        None,
        description="Particles are dark or light on the ice, or auto finds out; when empty as "
        "the model was trained, dark without one.",
    )


class TrainSettings(ScaleSettings):
    """Options of ``train``."""

    expected_per_micrograph: float | None = Field(
        None, gt=0, description="Mean number of particles on a micrograph; estimated when empty."
    )
    picks_pixel_size: float | None = Field(
        None,
        gt=0,
        description="Pixel size the picks were made at, where it is not the micrographs'.",
    )
    start_from: str = Field(
        "general",
        alias="from",
        description="Model to start from: general (the newest; general-1 is always the same) or "
        "another shipped name, a file, a folder, or none.",
    )
    objective: Objective = Field("nnpu", description="Loss: nnpu, ge-binomial, ge-kl or pn.")
    network: str | None = Field(
        None,
        description="Train this network from nothing: resnet8, dilated, conv31, conv63, conv127, "
        "or DeepEM's: deepem, and deepem-klh and deepem-19s at its paper's sizes. When empty, the "
        "start model's own, and resnet8 from none.",
    )
    selector: Literal["disc-nms", "four-rotations"] | None = Field(
        None,
        description="How the model finds picks: disc-nms, or four-rotations, DeepEM's rule, at "
        "four times the work; the start model's own, or disc-nms, when empty.",
    )
    epochs: int | None = Field(None, ge=1, description="Length of the training; fitted when empty.")
    rounds: int = Field(
        0,
        ge=0,
        le=20,
        description="Most rounds of picking, verifying and training anew after the first training.",
    )
    all_micrographs: bool = Field(
        False,
        description="Learn from every micrograph, not from at most 50 without labels.",
    )
    restart: bool = Field(
        False, description="Throw away an unfinished training of this job and begin again."
    )

    @model_validator(mode="before")
    @classmethod
    def _network_from_nothing(cls, values: Any) -> Any:
        """Start from nothing where a network is asked for and no start is named."""
        if isinstance(values, dict) and values.get("network"):
            named = values.get("start_from", values.get("from"))
            if named is None:
                return {**values, "start_from": "none"}
        return values

    @field_validator("network")
    @classmethod
    def _network_without_start(cls, value: str | None, info: ValidationInfo) -> str | None:
        start = info.data.get("start_from", "none")
        if value is not None and start != "none":
            raise ValueError(
                f"a network is chosen only where training starts from nothing, not from {start}; "
                "leave one of the two away"
            )
        return value


class IterateSettings(TrainSettings):
    """Options of ``iterate``."""

    rounds: int = Field(
        0,
        ge=0,
        le=20,
        description="Most rounds of picking, verifying and training anew; 0: one from a model, "
        "three from none.",
    )
    pruner: str = Field(
        "pruner",
        description="Pruner that gives a second opinion on every pick: pruner (the newest, or "
        "pruner-1), its file, its folder, or none.",
    )


class PickSettings(ScaleSettings):
    """Options of ``pick``."""

    model: str = Field(
        "general",
        description="A model file, its folder, or a shipped name: general (trained on "
        "simulations; the newest, and general-1 is always the same) or blob.",
    )
    threshold: str = Field(
        "auto", description="auto, a score, p=PROBABILITY, or precision=EXPECTED."
    )
    min_distance: float | None = Field(
        None,
        gt=0,
        description="Smallest distance between picks in Angstrom; the model's own when empty.",
    )
    border: float = Field(
        0.0,
        ge=0,
        le=5,
        description="Leave out centres nearer to an edge than this many diameters; "
        "0.5 leaves out every particle that is cut.",
    )
    limit: int = Field(
        0, ge=0, description="Pick only this many micrographs, spread over the set; 0 means all."
    )
    write: Literal["selected", "all"] = Field(
        "selected",
        description="selected or all: what STAR files and outputs hold; all is above the floor.",
    )


class FewshotSettings(PickSettings):
    """Options of ``fewshot``: those of ``pick``, for it picks with the model it makes."""

    model: str = Field(
        "",
        description="Encoder to start cryoMAE from: none, a file, a folder, or a shipped name such "
        "as mae-tiny-1; the newest shipped when empty.",
    )
    expected_per_micrograph: float | None = Field(
        None,
        gt=0,
        description="Mean number of particles on a micrograph, the most for cryomae; estimated "
        "when empty.",
    )
    picks_pixel_size: float | None = Field(
        None,
        gt=0,
        description="Pixel size the exemplars were marked at, where it is not the micrographs'.",
    )
    method: Literal["auto", "cryomae", "pu"] = Field(
        "auto",
        description="cryomae compares with the exemplars, pu trains the shipped network on them; "
        "auto takes what measured best.",
    )
    steps: int | None = Field(
        None, ge=1, description="Longest training in steps; fitted when empty."
    )
    preset: Literal["tiny", "small", "base"] = Field(
        "tiny", description="Size of cryoMAE's network: tiny, small or base."
    )
    selector: Literal["disc-nms", "density-cut"] | None = Field(
        None,
        description="How cryoMAE's scores become picks: disc-nms, or density-cut, its paper's "
        "threshold by micrograph; disc-nms when empty.",
    )
    restart: bool = Field(
        False, description="Throw away an unfinished training of this job and begin again."
    )


class VerifySettings(ScaleSettings):
    """Options of ``verify``."""

    pruner: str = Field(
        "pruner",
        description="A pruner's file, its folder, or a shipped name: pruner (the newest) or "
        "pruner-1.",
    )


class PruneSettings(VerifySettings):
    """Options of ``prune``."""

    border: float = Field(
        0.5,
        ge=0,
        le=5,
        description="Centres nearer to an edge of the micrograph than this many diameters "
        "are cut off.",
    )
    min_distance: float | None = Field(
        None,
        ge=0,
        description="Of two kept rows nearer than this in Angstrom the worse is a duplicate; "
        "0 keeps both, the pruner's own when empty.",
    )
    keep_at: str = Field(
        "auto",
        description="auto, a score, p=PROBABILITY, or precision=EXPECTED, all for the share of "
        "particles in the input.",
    )
    mostly_good: bool = Field(
        False,
        description="Take the input for mostly particles and learn from it without labels "
        "what is odd in it.",
    )
    expected_good: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Fraction of particles in the input; estimated from the scores when empty.",
    )
    four_rotations: bool = Field(
        True,
        description="Score the mean of four rotations of a box; without it, one look, which "
        "takes a quarter of the network's time.",
    )
    figure_of_merit: bool = Field(
        True,
        description="Let the figure of merit that the input's picker gave count for half; without "
        "it, the images alone.",
    )
    restart: bool = Field(
        False, description="Throw away what an earlier run of this job has scored and fitted."
    )


class PretrainSettings(ScaleSettings):
    """Options of ``pretrain``."""

    method: Literal["picker", "mae", "pruner"] = Field(
        "picker",
        description="picker: what train starts from; mae: the masked autoencoder that fewshot "
        "starts from; pruner: what prune starts from.",
    )
    preset: Literal["tiny", "small", "base"] = Field(
        "tiny", description="Size of the autoencoder: tiny, small or base."
    )
    corpus: int | None = Field(
        None,
        ge=20,
        description="Simulated micrographs to learn from (picker, pruner); the recipe's when "
        "empty.",
    )
    steps: int | None = Field(None, ge=1, description="Training steps; the recipe's when empty.")
    imagenet: str | None = Field(
        None,
        description="Start the pruner from this ResNet-18 checkpoint of general images, a "
        "safetensors file or a torch file of weights; its network is then a ResNet-18.",
    )
    boxes: str | None = Field(
        None,
        description="Folder of labelled boxes that the pruner learns from too: one stack a class, "
        "particle.mrcs, carbon.mrcs, ice.mrcs and so on; needs --diameter and --pixel-size.",
    )
    restart: bool = Field(
        False, description="Throw away an unfinished pretraining of this folder and begin again."
    )


S = TypeVar("S", bound=Settings)


def option_key(name: str) -> str:
    """Return the field name of an option, parameter label or YAML key (``-`` is ``_``)."""
    return "start_from" if name == "from" else name.replace("-", "_")


def resolve(kind: type[S], *layers: tuple[str, Mapping[str, Any]]) -> S:
    """Resolve settings from layers, the later ones winning.

    Parameters
    ----------
    kind
        `TrainSettings`, `PickSettings`, ...
    layers
        ``(where, values)`` in rising precedence, e.g. ``("model card", {...})``,
        ``("job.yaml", {...})``, ``("command line", {...})``. None means not given.

    Raises
    ------
    ConfigError
        A key is unknown or a value is wrong; the sentence names the layer.
    """
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    known = set(kind.model_fields)
    for where, layer in layers:
        for name, value in layer.items():
            key = option_key(str(name))
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = (
                    f"did you mean {near[0]!r}?"
                    if near
                    else f"known are: {', '.join(sorted(known))}"
                )
                raise ConfigError(f"{where}: unknown setting {name!r}; {hint}")
            if value is not None:
                values[key] = value
                origin[key] = where
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = option_key(str(first["loc"][0])) if first["loc"] else "?"
        message = first["msg"][:1].lower() + first["msg"][1:]
        raise ConfigError(
            f"{origin.get(key, 'settings')}: {key} = {values.get(key)!r}: {message}"
        ) from error
