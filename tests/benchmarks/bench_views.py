"""What the user is told of views: labels that show some alone, and what repeats and is not picked.

    python tests/benchmarks/bench_views.py --part labels|repeated|ice [--sets tube_r,tube_w]

``labels``: 15 labels of the training micrographs, drawn from all views or from half of them (the
smaller or the larger folded tilt, parted at the median);
how often `frostpick.training.picker.label_views` tells of it. ``repeated``: the test micrographs
picked by each model, and the kinds that `frostpick.repeated` finds: how many, how many of which
lie on particles, which are told of as not picked, and whether their members are particles that
are not picked. ``ice``: the same on real ice without picks, each picture cut in four, ``--bench``
names the development data. Each set is a file of ``--out`` and is not run again.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from accuracy.draws import folded_tilt
from accuracy.text_table import markdown
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from unseen.sets import SETS, UnseenSet, made_set

from frostpick.images import read_image
from frostpick.models.picking_model import PickingModel
from frostpick.models.shipped import load_model
from frostpick.picking.pick import pick_image
from frostpick.picking.plan import plan_picking
from frostpick.preprocess import preprocess
from frostpick.repeated.search import Picture, search
from frostpick.runtime.atomic import write_text
from frostpick.settings import PickSettings
from frostpick.training.examples import TrainingImage
from frostpick.training.picker.label_views import compare_views
from frostpick.training.picker.soft_labels import ModelSoftLabels

Row = dict[str, Any]
#: Sets whose figures settled the constants; the others judge them.
TUNED_ON = ("tube", "rod", "plate", "cage", "membrane")
#: Stated diameters on the real ice, in Angstrom.
ICE_A = (120.0, 200.0)
#: A member so near a particle, in diameters, lies on it.
ON = 0.4


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--part", choices=["labels", "repeated", "ice"], default="repeated")
    parser.add_argument("--models", nargs="+", default=["general-1", "general-2"])
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--unseen", type=Path, default=Path(".bench/unseen/sets"))
    parser.add_argument("--bench", type=Path, default=Path("../shared/bench"))
    parser.add_argument("--out", type=Path, default=Path(".bench/views"))
    parser.add_argument("--draws", type=int, default=30)
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    rows: list[Row] = []
    if options.part == "ice":
        rows = kept(options.out / "ice.json", lambda: ice(options.bench / "real" / "ice"))
    for name in [] if options.part == "ice" else options.sets.split(","):
        for text in options.models if options.part == "repeated" else options.models[-1:]:
            path = options.out / f"{options.part}-{name}-{text}.json"

            def make(name: str = name, text: str = text) -> list[Row]:
                one, model = made_set(name, options.unseen), load_model(text)
                if options.part == "labels":
                    return labels(one, name, model, options.draws)
                return repeated(one, name, model, text)

            rows += kept(path, make)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    print(markdown(columns, [[str(row.get(c, "")) for c in columns] for row in rows]))


def kept(path: Path, make: Any) -> list[Row]:
    """Return the rows of a file, which is made where it is not there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(make(), indent=1) + "\n")
    rows: list[Row] = json.loads(path.read_text(encoding="utf-8"))
    return rows


def tuned(name: str) -> str:
    """Return whether a set's figures settled the constants."""
    return "yes" if name.split("_")[0] in TUNED_ON else ""


def labels(one: UnseenSet, name: str, model: PickingModel, draws: int) -> list[Row]:
    """Return how often labels of half the views, and of all, are told of."""
    data, card = one.data, model.card
    truth = data.train.truth.drawable
    tilt = folded_tilt(truth)
    low = tilt <= np.median(tilt)
    bare, places = [], []
    for micrograph in data.train.names:
        image = read_image(data.train.micrographs / f"{micrograph}.mrc", micrograph).data
        work = preprocess(
            image,
            data.pixel_A,
            data.diameter_A,
            card.preprocess,
            px_per_diameter=card.px_per_diameter,
        )
        none = np.zeros((0, 2))
        bare.append(TrainingImage(micrograph, work.data.numpy(), work.sampling, none, none))
        yx = np.stack([truth.y_px, truth.x_px], axis=1)
        places.append(work.sampling.from_parent(yx))
    soft = ModelSoftLabels(model, 1.0, torch.device("cpu"), alone=False)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    row: Row = {"set": name, "tuned on": tuned(name), "draws": draws}
    masks = {"half, small tilt": low, "half, large tilt": ~low, "all views": np.ones_like(low)}
    for what, mask in masks.items():
        told = []
        for draw in range(draws):
            chosen = fifteen(truth.name, np.flatnonzero(mask), rng)
            images = [
                TrainingImage(b.micrograph_id, b.pixels, b.sampling, p[on], b.empty_yx)
                for b, p in zip(bare, places, strict=True)
                for on in [chosen[truth.name[chosen] == b.micrograph_id]]
            ]
            told.append(compare_views(images, soft, card.px_per_diameter, draw).partial)
        row[what] = f"{np.mean(told):.2f}"
    return [row]


def fifteen(
    names: NDArray[np.str_], pool: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return 15 of a pool of rows, of one micrograph, or of the next ones where it has fewer."""
    taken: list[int] = []
    for name in rng.permutation(np.unique(names)):
        own = rng.permutation(pool[names[pool] == name])
        taken += own[: 15 - len(taken)].tolist()
    return np.array(taken, np.int64)


def repeated(one: UnseenSet, name: str, model: PickingModel, text: str) -> list[Row]:
    """Return the kinds on a set's test micrographs, one row each."""
    data, pictures, truth = one.data, [], []
    settings = PickSettings(diameter=data.diameter_A, pixel_size=data.pixel_A, device="cpu")
    plan = plan_picking(model, settings, frozenset(data.test.names))
    for micrograph in data.test.names:
        image = read_image(data.test.micrographs / f"{micrograph}.mrc", micrograph).data
        found = pick_image(model, image, data.pixel_A, plan, micrograph)
        assert found.preview is not None
        scale = np.divide(found.preview.shape, found.shape)
        picks = found.picks.keep(found.picks.score >= model.card.threshold)
        at = data.test.truth.particles.on(micrograph)
        truth.append(np.stack([at.y_px, at.x_px], axis=1) * scale)
        pictures.append(
            Picture(
                micrograph,
                found.preview.astype(np.float32),
                data.diameter_px * float(scale.mean()),
                np.stack([picks.y_px, picks.x_px], axis=1) * scale,
            )
        )
    rows: list[Row] = []
    for number, kind in enumerate(search(pictures), 1):
        away = [
            cKDTree(truth[k]).query(yx)[0] / pictures[k].px_per_diameter
            for k, yx in zip(kind.picture.tolist(), kind.yx, strict=True)
        ]
        rows.append(
            {
                "set": name,
                "tuned on": tuned(name),
                "model": text,
                "kind": number,
                "seen": len(kind),
                "noise": f"{kind.of_noise:.0f}",
                "on particles": f"{np.mean(np.array(away) < ON):.2f}",
                "typical": int(kind.typical.sum()),
                "of them on particles": f"{np.mean(np.array(away)[kind.typical] < ON):.2f}",
                "off centre": f"{np.median(np.array(away)[np.array(away) < ON]):.2f}",
                "opposite": f"{kind.opposite:.2f}",
                "picked": f"{kind.picked:.2f}",
                "told": "not picked" if kind.is_missed else "",
            }
        )
    return rows or [{"set": name, "tuned on": tuned(name), "model": text, "kind": "none"}]


def ice(folder: Path) -> list[Row]:
    """Return the kinds on quarters of real ice pictures, by kind of ice and stated diameter."""
    with (folder / "kinds.csv").open(encoding="utf-8", newline="") as handle:
        files = list(csv.DictReader(handle))
    card, rows = load_model("general").card, []
    for diameter in ICE_A:
        for kind in dict.fromkeys(row["kind"] for row in files):
            pictures = []
            for row in files:
                if row["kind"] == kind:
                    image = read_image(folder / row["micrograph"], row["micrograph"])
                    work = preprocess(
                        image.data,
                        float(image.pixel_size_A or 0.0),
                        diameter,
                        card.preprocess,
                        px_per_diameter=card.px_per_diameter,
                    ).data.numpy()
                    none = np.zeros((0, 2))
                    px = float(card.px_per_diameter)
                    pictures += [Picture(kind, q, px, none) for q in quarters(work)]
            kinds = search(pictures)
            seen = ", ".join(str(len(k)) for k in kinds) or "none"
            named = ", ".join(f"{k.opposite:.2f}" for k in kinds)
            rows.append(
                {"ice": kind, "diameter": f"{diameter:g}", "kinds": seen, "opposite": named}
            )
    return rows


def quarters(image: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Yield the four quarters of an image."""
    h, w = (side // 2 for side in image.shape)
    yield from (image[y : y + h, x : x + w] for y in (0, h) for x in (0, w))


if __name__ == "__main__":
    main()
