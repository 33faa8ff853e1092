from pathlib import Path

import pytest
import torch

from cerebellum_trainer.encoders.files import load_encoder, save_encoder
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.vit import VisionTransformer, VitConfig, sincos_positions


def expected_keys(depth: int) -> set[str]:
    """The layout of MVP's released encoders and of timm, without a head."""
    block = ["norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2"]
    names = ["patch_embed.proj", "norm", *(f"blocks.{n}.{part}" for n in range(depth) for part in block)]
    return {"cls_token", "pos_embed"} | {f"{name}.{kind}" for name in names for kind in ("weight", "bias")}


def test_key_layout_and_shapes_are_mvps() -> None:
    model = VisionTransformer(VitConfig(heads=12, image_px=224, patch_px=16, width=384, depth=12))
    state = model.state_dict()
    assert set(state) == expected_keys(12)
    assert state["pos_embed"].shape == (1, 197, 384)
    assert state["blocks.3.attn.qkv.weight"].shape == (1152, 384)
    assert state["patch_embed.proj.weight"].shape == (384, 3, 16, 16)
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(21.7e6, rel=0.01)


def test_the_head_count_matters_and_is_kept(tmp_path: Path, small_encoder: VisionTransformer) -> None:
    save_encoder(small_encoder, tmp_path / "e.safetensors", "mae")
    loaded, pretraining = load_encoder(tmp_path / "e.safetensors")
    assert (loaded.config.heads, pretraining) == (2, "mae")
    images = torch.randn(2, 3, 112, 112)
    torch.testing.assert_close(loaded(images), small_encoder(images))
    other = VisionTransformer(VitConfig(heads=4, width=32, depth=2))
    other.load_state_dict(small_encoder.state_dict())
    assert not torch.allclose(other(images), loaded(images), atol=1e-3)


def test_patches_do_not_mix_before_the_blocks(small_encoder: VisionTransformer) -> None:
    images = torch.zeros(1, 3, 112, 112)
    changed = images.clone()
    changed[:, :, 16:32, 48:64] = 1.0
    moved = (small_encoder.embed(changed) != small_encoder.embed(images)).any(dim=-1)[0]
    assert torch.nonzero(moved).flatten().tolist() == [7 + 3]


def test_positions_differ_and_start_with_zeros() -> None:
    table = sincos_positions(7, 32)[0]
    assert torch.equal(table[0], torch.zeros(32))
    assert torch.cdist(table[1:], table[1:]).add(torch.eye(49) * 9).min() > 0.1
    # x (columns) fills the first half, y (rows) the second.
    assert torch.equal(table[1][16:], table[2][16:])
    assert torch.equal(table[1][:16], table[1 + 7][:16])


def test_missing_weights_and_foreign_files_are_refused(
    tmp_path: Path, small_encoder: VisionTransformer
) -> None:
    from safetensors.torch import load_file, save_file

    path = tmp_path / "e.safetensors"
    (tmp_path / "text").write_text("no tensors")
    save_encoder(small_encoder, path, "none")
    tensors = load_file(path)
    save_file(tensors, tmp_path / "bare.safetensors")
    for file in (tmp_path / "text", tmp_path / "bare.safetensors", tmp_path / "absent"):
        with pytest.raises(TrainerError) as caught:
            load_encoder(file)
        assert caught.value.code == "ENCODER_UNREADABLE"
