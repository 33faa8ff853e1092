"""Shared small models: large enough to learn from, small enough for seconds."""

import pytest
import torch

from cerebellum_trainer.vit import VisionTransformer, VitConfig

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def small_vit() -> VitConfig:
    return VitConfig(heads=2, width=32, depth=2)


@pytest.fixture(scope="session")
def small_encoder(small_vit: VitConfig) -> VisionTransformer:
    torch.manual_seed(3)
    return VisionTransformer(small_vit).eval().requires_grad_(False)
