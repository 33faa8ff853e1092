"""An existing bundle in other forms: the same networks, goldens and provenance; variants measured anew."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from cerebellum_trainer.bundle import finish_bundle, frames_of, with_variants
from cerebellum_trainer.dataset import Dataset
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.frozen import file_of_bundle
from cerebellum_trainer.provenance import code_version
from cerebellum_trainer.runs import file_sha256
from cerebellum_trainer.staging import replaced
from cerebellum_trainer.variants.offer import ExportConfig, offer_variants

KIND = "bc-mlp"


def read_manifest(folder: Path) -> dict[str, Any]:
    """Raises: TrainerError MANIFEST_UNREADABLE."""
    try:
        manifest: dict[str, Any] = json.loads((folder / "policy.json").read_text(encoding="utf-8"))
        if manifest["kind"] != KIND:
            raise ValueError(f"it is of kind {manifest['kind']}, not {KIND}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainerError(
            "MANIFEST_UNREADABLE",
            f"{folder} is no bundle of a policy that sees pictures: {error}",
            "Name the folder of such a bundle, or what the clone command has left",
        ) from error
    return manifest


def export_again(
    source: Path, manifest: dict[str, Any], dataset: Dataset, out: Path, export: ExportConfig
) -> None:
    """Raises: TrainerError EXPORT_ONTO_ITSELF, MANIFEST_UNREADABLE for a file that is not what the manifest
    says, and what `offer_variants` and `finish_bundle` raise.
    """
    if out.resolve() == source.resolve():
        raise TrainerError(
            "EXPORT_ONTO_ITSELF", f"{out} is what is to be exported", "Name another folder with --out"
        )
    fp32 = next((entry for entry in manifest["variants"] if entry["precision"] == "fp32"), None)
    if fp32 is None:
        raise TrainerError(
            "MANIFEST_UNREADABLE", f"{source} has no fp32 variant to measure others against", "Clone again"
        )
    variants = {
        entry[key]
        for entry in manifest["variants"]
        for key in ("encoderFile", "controllerFile", "fusedFile")
        if key in entry
    }
    networks = [fp32["encoderFile"], fp32["controllerFile"]]
    kept = [name for name in manifest["files"] if name not in variants or name in networks]
    with replaced(out) as making:
        fill_again(source, manifest, dataset, making, kept, networks, export)


def fill_again(
    source: Path,
    manifest: dict[str, Any],
    dataset: Dataset,
    out: Path,
    kept: list[str],
    networks: list[str],
    export: ExportConfig,
) -> None:
    """As `export_again`, into a folder that is empty.

    `kept`: files of the bundle that come along; `networks`: encoder and controller among them.
    """
    for name in kept:
        copy_checked(source, name, manifest["files"][name], out)
    encoder_file, controller_file = (out / name for name in networks)
    frames = frames_of(dataset, manifest["action"], export.frames)
    feature = manifest["encoder"]["feature"]
    offer = offer_variants(out, encoder_file, controller_file, feature, frames, export)
    for left in {encoder_file, controller_file} - {*offer.files}:
        left.unlink()
    page = out / "made.md"
    if page.exists():
        page.write_text(with_variants(page.read_text(encoding="utf-8"), offer), encoding="utf-8")
    rest = [out / name for name in kept if name not in networks]
    provenance = manifest["provenance"]
    again = {
        **{key: value for key, value in manifest.items() if key != "leftOut"},
        **offer.sections(export.gate),
        "provenance": {
            **provenance,
            "notes": f"{provenance['notes']} Variants made and measured by trainer {code_version()}.",
        },
        "files": {file.relative_to(out).as_posix(): file_sha256(file) for file in [*offer.files, *rest]},
    }
    finish_bundle(out, again, offer, export)


def copy_checked(source: Path, name: str, sha256: str, out: Path) -> None:
    """Also from the bundle beside it that holds the file for both."""
    file = file_of_bundle(source, name, sha256)
    if not file.is_file() or file_sha256(file) != sha256:
        raise TrainerError(
            "MANIFEST_UNREADABLE",
            f"{name} of bundle {source} is missing, or not the file that its manifest names",
            "Copy the bundle again in full",
        )
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, out / name)
