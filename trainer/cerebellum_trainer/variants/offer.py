"""Which variants a bundle offers: each is made, measured on recorded frames, and held against the gate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any, Literal

from cerebellum_trainer.controller import Feature
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.variants.graph import fuse
from cerebellum_trainer.variants.measure import Answers, Difference, Frames, answer, compare_answers
from cerebellum_trainer.variants.outliers import outlier_ratios
from cerebellum_trainer.variants.quantise import quantise

Precision = Literal["fp32", "int8"]


@dataclass(frozen=True)
class Gate:
    """What a precision must keep to be in a bundle, against fp32 on recorded frames."""

    feature_cosine_mean: float = 0.999
    """Least mean cosine of the features."""
    feature_cosine_min: float = 0.995
    """Least cosine of any frame's features."""
    action_error_share: float = 0.05
    """Largest difference of an element of the action, as a share of its clip. The daemon holds the goldens of
    coarser precisions to it."""

    def why_not(self, found: Difference) -> str | None:
        """What fails, with number and limit; None if nothing does."""
        failures = [
            f"{what} {value:.4g} (gate {limit:g})"
            for what, value, limit, passes in (
                (
                    "mean feature cosine",
                    found.cosine_mean,
                    self.feature_cosine_mean,
                    found.cosine_mean >= self.feature_cosine_mean,
                ),
                (
                    "smallest feature cosine",
                    found.cosine_min,
                    self.feature_cosine_min,
                    found.cosine_min >= self.feature_cosine_min,
                ),
                (
                    "action off by a share of its clip of",
                    found.error_share,
                    self.action_error_share,
                    found.error_share <= self.action_error_share,
                ),
            )
            if not passes
        ]
        return ", ".join(failures) or None


@dataclass(frozen=True)
class ExportConfig:
    """The forms in which a policy is written."""

    precisions: tuple[Precision, ...] = ("fp32",)
    """In the order in which the daemon is to prefer them; the gate decides which of them are there."""
    fused: bool = False
    """Also writes encoder and controller as one graph, for other programs than the daemon."""
    frames: int = 64
    """Recorded frames, spread over all episodes, that precisions are compared on."""
    gate: Gate = field(default_factory=Gate)
    outlier_ratio_max: float = 32.0
    """Matrix products stay in fp32 whose largest input channel is more than so many times the median one."""
    verify: bool = True
    """Has the daemon's own loader replay the goldens, where a daemon is built beside the trainer."""


@dataclass(frozen=True)
class Offer:
    """Sections of the manifest, and the files that they name (all in the bundle's folder)."""

    variants: list[dict[str, Any]]
    left_out: list[dict[str, Any]]
    files: list[Path]

    def sections(self, gate: Gate) -> dict[str, Any]:
        return {
            "variants": self.variants,
            "gate": {
                "featureCosineMean": gate.feature_cosine_mean,
                "featureCosineMin": gate.feature_cosine_min,
                "actionErrorShare": gate.action_error_share,
            },
            **({"leftOut": self.left_out} if self.left_out else {}),
        }

    def remarks(self) -> list[str]:
        """For people: a line for each precision."""
        lines = []
        for variant in self.variants:
            measured = variant.get("measured")
            lines.append(
                f"{variant['precision']}: "
                + ("as exported" if measured is None else f"passes its gate: {describe(measured)}")
            )
        for entry in self.left_out:
            measured = entry.get("measured")
            tail = "" if measured is None else f"; {describe(measured)}"
            lines.append(f"{entry['precision']} is left out: {entry['reason']}{tail}")
        return lines


def describe(measured: dict[str, Any]) -> str:
    cosines = f"{measured['featureCosineMean']:.5f} in the mean, {measured['featureCosineMin']:.5f} at least"
    error = (
        f"{measured['actionErrorRmsRad']:.2e} of {measured['actionRmsRad']:.2e} rad in the root mean square"
    )
    kept = len(measured["productsKept"])
    return (
        f"on {measured['frames']} frames, feature cosine {cosines}; action off by {error}, "
        f"{measured['actionErrorMaxRad']:.2e} rad at most; outlier ratio {measured['outlierRatio']:.1f}, "
        f"{measured['productsQuantised']} products in int8"
        + (f", {kept} kept in fp32 for their outliers" if kept else "")
    )


def offer_variants(
    folder: Path,
    encoder_file: Path,
    controller_file: Path,
    feature: Feature,
    frames: Frames,
    config: ExportConfig,
) -> Offer:
    """Makes what is asked for beside the fp32 files, which are there already.

    Raises: TrainerError EXPORT_GATE if nothing of what was asked for passes.
    """
    variants: list[dict[str, Any]] = []
    left_out: list[dict[str, Any]] = []
    files: list[Path] = []
    fp32 = None
    for precision in dict.fromkeys(config.precisions):
        if precision == "fp32":
            file, measured, reason = encoder_file, None, None
        else:
            fp32 = fp32 or answer(encoder_file, controller_file, feature, frames)
            file, measured, reason = measure_int8(
                folder, encoder_file, controller_file, feature, frames, fp32, config
            )
        if reason is not None:
            left_out.append({"precision": precision, "reason": reason, **as_section(measured)})
            continue
        variant = {
            "precision": precision,
            "encoderFile": file.name,
            "controllerFile": controller_file.name,
            "featureCosineMean": 1 if measured is None else measured["featureCosineMean"],
            "featureCosineMin": 1 if measured is None else measured["featureCosineMin"],
            **as_section(measured),
        }
        files += [file, controller_file]
        if config.fused:
            fused = folder / ("policy.onnx" if precision == "fp32" else f"policy.{precision}.onnx")
            fuse(file, controller_file, feature, fused)
            variant["fusedFile"] = fused.name
            files.append(fused)
        variants.append(variant)
    if not variants:
        raise TrainerError(
            "EXPORT_GATE",
            "; ".join(f"{entry['precision']} {entry['reason']}" for entry in left_out)
            or "No precision is named",
            "Name fp32 among --export.precisions, or a gate that this policy can do with",
        )
    return Offer(variants, left_out, list(dict.fromkeys(files)))


def measure_int8(
    folder: Path,
    encoder_file: Path,
    controller_file: Path,
    feature: Feature,
    frames: Frames,
    fp32: Answers,
    config: ExportConfig,
) -> tuple[Path, dict[str, Any] | None, str | None]:
    """The int8 encoder, what was measured of it, and why it is not to be used; its file is gone then."""
    file = folder / f"{encoder_file.stem}.int8.onnx"
    ratios = outlier_ratios(encoder_file, frames.images)
    kept = [node for node, ratio in ratios.items() if ratio > config.outlier_ratio_max]
    quantised = quantise(encoder_file, file, kept)
    if quantised == 0:
        why = f"all {len(kept)} have outlier channels" if kept else "the encoder has none"
        return file, None, f"no matrix product to quantise: {why}"
    found = compare_answers(fp32, answer(file, controller_file, feature, frames), frames)
    if not all(math.isfinite(value) for value in astuple(found)):
        file.unlink()
        return file, None, "it answers with numbers that are not finite"
    measured = {
        "frames": len(frames.images),
        "datasetSha256": frames.sha256,
        "featureCosineMean": figures(found.cosine_mean),
        "featureCosineMin": figures(found.cosine_min),
        "actionErrorShare": figures(found.error_share),
        "actionErrorMaxRad": figures(found.error_max_rad),
        "actionErrorRmsRad": figures(found.error_rms_rad),
        "actionRmsRad": figures(found.action_rms_rad),
        "outlierRatio": figures(max(ratios.values())),
        "productsQuantised": quantised,
        "productsKept": kept,
    }
    reason = config.gate.why_not(found)
    if reason is not None:
        file.unlink()
    return file, measured, reason


def as_section(measured: dict[str, Any] | None) -> dict[str, Any]:
    return {} if measured is None else {"measured": measured}


def figures(value: float) -> float:
    """Six of them: more would be noise."""
    return float(f"{value:.6g}")


def spread(count: int, chosen: int) -> Sequence[int]:
    """Indices of `chosen` of `count` frames, evenly spread, first and last among them."""
    if chosen >= count:
        return range(count)
    return [round(place * (count - 1) / max(1, chosen - 1)) for place in range(chosen)]
