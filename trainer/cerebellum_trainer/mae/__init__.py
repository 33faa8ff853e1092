"""Masked autoencoder: most patches are hidden, a decoder paints them back (He et al. 2022)."""

from cerebellum_trainer.mae.config import MaeConfig
from cerebellum_trainer.mae.corpus import open_corpus
from cerebellum_trainer.mae.model import MaskedAutoencoder, from_patches, to_patches
from cerebellum_trainer.mae.recipe import pretrain
from cerebellum_trainer.mae.sheet import reconstruction_sheet
from cerebellum_trainer.training.schedule import cosine_rate, parameter_groups

__all__ = [
    "MaeConfig",
    "MaskedAutoencoder",
    "cosine_rate",
    "from_patches",
    "open_corpus",
    "parameter_groups",
    "pretrain",
    "reconstruction_sheet",
    "to_patches",
]
