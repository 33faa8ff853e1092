"""Pictures -> frozen encoder, by contrast (MoCo v2, LooC); a comparison of such models on drawn pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from cerebellum_trainer.commands.pretrain import Pretrain, open_sets
from cerebellum_trainer.commands.work import WORK
from cerebellum_trainer.contrast.backbone import LastBlock, VitBackbone, whole_encoder
from cerebellum_trainer.contrast.model import LoocConfig
from cerebellum_trainer.contrast.pretrain import ContrastRecipe, pretrain_contrast
from cerebellum_trainer.contrast.report import write_report
from cerebellum_trainer.contrast.study import Study, StudyConfig
from cerebellum_trainer.contrast.variants import MODELS
from cerebellum_trainer.encoders.files import save_encoder
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.features import encoder_sha256
from cerebellum_trainer.mae.pictures import Pictures
from cerebellum_trainer.runs import thinned, write_run
from cerebellum_trainer.training.folder import RunFolder
from cerebellum_trainer.training.loop import LoopConfig
from cerebellum_trainer.training.world import Hardware, open_world
from cerebellum_trainer.vit import VisionTransformer, VitConfig


@dataclass(frozen=True)
class Looc:
    """Pre-trains the encoder by leave-one-out contrast (LooC); `--looc.spaces` without a value is MoCo v2."""

    corpus: tuple[Path, ...] = ()
    """(n, size, size, 3) uint8 .npy, as the corpus renderer writes it; several, of several cells, as one."""
    frames: tuple[Path, ...] = ()
    """Data sets that the frames command made."""
    out: Path = WORK / "looc"
    """Folder of the run; nothing in it is overwritten."""
    vit: VitConfig = field(default_factory=lambda: VitConfig(heads=3))
    looc: LoocConfig = field(default_factory=LoocConfig)
    recipe: ContrastRecipe = field(default_factory=ContrastRecipe)
    loop: LoopConfig = field(default_factory=LoopConfig)
    hardware: Hardware = field(default_factory=Hardware)
    seed: int = 0
    """Of all chance: the same seed on the same computer gives the same result."""
    resume: bool = False
    """Continue the run in --out."""


@dataclass(frozen=True)
class LoocStudy:
    """Compares MoCo, LooC and LooC++ on drawn pictures of known factors: tables, plot, nearest neighbours.

    Models that are done already in --out are not trained again, so an interrupted comparison goes on.
    """

    out: Path = WORK / "looc-study"
    """Folder of models, tables, plot and sheet."""
    study: StudyConfig = field(default_factory=StudyConfig)
    models: tuple[str, ...] = MODELS
    """Those to train; the tables show those that there are."""
    hardware: Hardware = field(default_factory=Hardware)


def run_looc(config: Looc) -> Path:
    """Returns the encoder's file. Raises: TrainerError ENCODER_SEVERAL for LooC++: it is no single one."""
    if config.looc.concatenated:
        raise TrainerError(
            "ENCODER_SEVERAL",
            "LooC++ has a last stage for each space, and an encoder's file holds one",
            "Leave --looc.concatenated out, or compare both with looc-study",
        )
    sources = Pretrain(corpus=config.corpus, frames=config.frames, vit=config.vit)
    sets, inputs = open_sets(sources, config.vit.image_px)
    pictures = Pictures(sets, config.vit.image_px, config.vit.patches)
    with (
        open_world(config.hardware) as world,
        RunFolder.open(config.out, "looc", config, inputs, world, config.resume) as folder,
    ):
        model, losses = pretrain_contrast(
            pictures,
            lambda: VitBackbone(config.vit),
            config.looc,
            config.recipe,
            config.seed,
            world,
            folder,
            config.loop,
            config.hardware.workers,
            {"vit": asdict(config.vit)},
            lambda line: print(line, flush=True),
        )
        file = config.out / "encoder.safetensors"
        early, late = model.query.cpu().early, model.query.late[0]
        assert isinstance(early, VisionTransformer)
        assert isinstance(late, LastBlock)
        encoder = whole_encoder(early, late)
        if world.is_main:
            save_encoder(encoder, file, "contrastive")
        folder.finish({"encoderSha256": encoder_sha256(encoder), "losses": thinned(losses)})
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}, {file}")
    return file


def run_looc_study(config: LoocStudy) -> Path:
    """Returns the file of the tables. Raises: TrainerError MODEL_UNKNOWN."""
    unknown = [name for name in config.models if name not in MODELS]
    if unknown:
        raise TrainerError(
            "MODEL_UNKNOWN", f"There is no model {unknown[0]}", f"Name some of {' | '.join(MODELS)}"
        )
    with open_world(config.hardware) as world:
        study = Study(config.study, config.out / "models", world, lambda line: print(line, flush=True))
        results = study.run(config.models)
    tables = write_report(study, results, config.out)
    write_run(
        config.out / "run.json",
        "looc-study",
        config,
        {},
        {name: r["measured"] for name, r in results.items()},
    )
    print(tables.read_text(encoding="utf-8"))
    return tables
