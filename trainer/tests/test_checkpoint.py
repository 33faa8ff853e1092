"""Checkpoints of others, in their layouts and with their traps; timm computes what is expected."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from cerebellum_trainer.commands.import_checkpoint import Import, run_import
from cerebellum_trainer.encoders.checkpoint import Unseen, encoder_of_checkpoint, for_size
from cerebellum_trainer.encoders.layouts import Tensors
from cerebellum_trainer.encoders.sizes import SIZES
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.features import encoder_sha256
from cerebellum_trainer.frozen import open_encoder
from cerebellum_trainer.images import Preprocessing
from cerebellum_trainer.vit import VisionTransformer

vision_transformer = pytest.importorskip("timm.models.vision_transformer")
from timm.layers import QuickGELU, resample_abs_pos_embed  # noqa: E402

HEADS = 4


def timms(**different: object) -> nn.Module:
    """A small one of timm's with weights that matter: as it initialises them, attention is all but even."""
    torch.manual_seed(1)
    sizes = {"img_size": 64, "patch_size": 16, "embed_dim": 64, "depth": 2, "num_classes": 5}
    model = vision_transformer.VisionTransformer(num_heads=HEADS, **(sizes | different)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            spread = 2 * weight[0].numel() ** -0.5 if weight.ndim > 1 else 0.2
            weight.add_(spread * torch.randn_like(weight))
    return model


@pytest.fixture(scope="module")
def plain() -> nn.Module:
    return timms()


@pytest.fixture(scope="module")
def clips() -> nn.Module:
    norm = partial(nn.LayerNorm, eps=1e-5)
    return timms(pre_norm=True, act_layer=QuickGELU, norm_layer=norm)


def images(side: int = 64) -> torch.Tensor:
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(2))


@torch.no_grad()
def assert_computes(encoder: nn.Module, oracle: nn.Module) -> None:
    torch.testing.assert_close(encoder(images()), oracle.forward_features(images()), rtol=1e-4, atol=1e-5)


def checkpoint(folder: Path, tensors: Tensors, name: str = "checkpoint.pth") -> Path:
    torch.save({"model": tensors}, folder / name)
    return folder / name


def test_mvps_layout_comes_in_with_a_decoder_that_is_left_out(tmp_path: Path, plain: nn.Module) -> None:
    state = plain.state_dict()
    decoder = {"decoder_embed.weight": torch.zeros(3), "mask_token": torch.zeros(1, 1, 64)}
    file = checkpoint(tmp_path, {**state, **decoder})
    out = run_import(Import(file, kind="mvp", heads=HEADS, out=tmp_path / "e.safetensors"))
    encoder, pretraining, preprocessing = open_encoder(out)
    assert_computes(encoder, plain)
    assert (pretraining, encoder.config.heads) == ("mae", HEADS)
    assert preprocessing == Preprocessing(size_px=64, kernel="bilinear")
    record = out.with_suffix(".json").read_text(encoding="utf-8")
    assert '"decoder_embed.weight"' in record
    assert '"head.weight"' in record


def test_a_wrong_head_count_computes_something_else_and_is_asked_for(
    tmp_path: Path, plain: nn.Module
) -> None:
    file = checkpoint(tmp_path, plain.state_dict())
    right, _ = encoder_of_checkpoint(file, Unseen(heads=HEADS))
    wrong, _ = encoder_of_checkpoint(file, Unseen(heads=2))
    assert not torch.allclose(right.eval()(images()), wrong.eval()(images()), atol=1e-3)
    with pytest.raises(TrainerError, match="do not tell their heads") as caught:
        run_import(Import(file, kind="mvp", out=tmp_path / "e.safetensors"))
    assert caught.value.code == "IMPORT_UNSAID"


def test_the_record_has_numbers_to_compare_with_the_published_code(tmp_path: Path, plain: nn.Module) -> None:
    import json

    file = checkpoint(tmp_path, plain.state_dict())
    out = run_import(Import(file, kind="mae", heads=HEADS, out=tmp_path / "e.safetensors"))
    results = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))["results"]
    ramp = torch.linspace(-2, 2, 3 * 64 * 64).view(1, 3, 64, 64)
    with torch.no_grad():
        expected = plain.forward_features(ramp)[0, 0, :16]
    torch.testing.assert_close(torch.tensor(results["golden"]["firstToken"]), expected, rtol=1e-4, atol=1e-5)
    assert results["encoderSha256"] == encoder_sha256(open_encoder(out)[0])


@pytest.mark.parametrize("name", ["mae-s-224", "mae-b-224", "mae-l-256"])
def test_our_sizes_have_the_shapes_of_timms(name: str) -> None:
    size, image_px = name.split("-")[1:]
    long = {"s": "small", "b": "base", "l": "large"}[size]
    with torch.device("meta"):
        theirs = getattr(vision_transformer, f"vit_{long}_patch16_224")(img_size=int(image_px), num_classes=0)
        ours = VisionTransformer(SIZES[name])
    shapes = {key: value.shape for key, value in ours.state_dict().items()}
    assert shapes == {key: value.shape for key, value in theirs.state_dict().items()}


def as_openai(state: Tensors) -> Tensors:
    """CLIP's own names, half precision, with a text tower."""
    names = {
        "cls_token": "visual.class_embedding",
        "pos_embed": "visual.positional_embedding",
        "patch_embed.proj.weight": "visual.conv1.weight",
        "norm_pre.": "visual.ln_pre.",
        "norm.": "visual.ln_post.",
        "blocks.": "visual.transformer.resblocks.",
    }
    inside = {
        "norm1": "ln_1",
        "norm2": "ln_2",
        "attn.qkv.": "attn.in_proj_",
        "attn.proj": "attn.out_proj",
        "mlp.fc1": "mlp.c_fc",
        "mlp.fc2": "mlp.c_proj",
    }
    found: Tensors = {
        "text_projection": torch.zeros(2, 2),
        "transformer.resblocks.0.ln_1.weight": torch.ones(3),
    }
    for key, tensor in state.items():
        renamed = key
        for ours, theirs in names.items():
            if key.startswith(ours):
                renamed = theirs + key[len(ours) :]
                break
        if key.startswith("blocks."):
            for ours, theirs in inside.items():
                renamed = renamed.replace(f".{ours}", f".{theirs}")
        flat = tensor.reshape(tensor.shape[-1]) if key == "cls_token" else tensor
        found[renamed] = flat[0] if key == "pos_embed" else flat
    return found


def as_hugging_face(state: Tensors) -> Tensors:
    tower = "vision_model."
    names = {
        "cls_token": "embeddings.class_embedding",
        "pos_embed": "embeddings.position_embedding.weight",
        "patch_embed.proj.weight": "embeddings.patch_embedding.weight",
        "norm_pre.": "pre_layrnorm.",
        "norm.": "post_layernorm.",
    }
    found: Tensors = {"logit_scale": torch.tensor(1.0), "text_model.final_layer_norm.weight": torch.ones(3)}
    for key, tensor in state.items():
        if not key.startswith("blocks."):
            part = next(name for name in names if key.startswith(name))
            flat = tensor.reshape(-1) if key == "cls_token" else tensor
            found[tower + names[part] + key[len(part) :]] = flat[0] if key == "pos_embed" else flat
            continue
        _, number, *rest = key.split(".")
        layer = f"{tower}encoder.layers.{number}."
        inner = ".".join(rest)
        if inner.startswith("attn.qkv"):
            for letter, third in zip("qkv", tensor.chunk(3), strict=True):
                found[f"{layer}self_attn.{letter}_proj.{rest[-1]}"] = third
            continue
        for ours, theirs in (("norm", "layer_norm"), ("attn.proj", "self_attn.out_proj")):
            inner = inner.replace(ours, theirs)
        found[layer + inner] = tensor
    return found


@pytest.mark.parametrize("layout", [as_openai, as_hugging_face, dict])
def test_image_towers_of_clip_come_in(
    tmp_path: Path, clips: nn.Module, layout: Callable[[Tensors], Tensors]
) -> None:
    state = {key: value for key, value in clips.state_dict().items() if not key.startswith("head")}
    file = tmp_path / "clip.safetensors"
    save_file({key: value.contiguous() for key, value in layout(state).items()}, file)
    asked = Import(file, kind="clip", heads=HEADS, activation="quick-gelu", out=tmp_path / "e.safetensors")
    encoder, pretraining, preprocessing = open_encoder(run_import(asked))
    assert_computes(encoder, clips)
    assert pretraining == "clip"
    assert preprocessing.mean[0] == pytest.approx(0.4815, abs=1e-4)
    with pytest.raises(TrainerError, match="do not tell their activation"):
        run_import(Import(file, kind="clip", out=tmp_path / "other.safetensors"))


def test_heads_of_clip_follow_from_its_width(tmp_path: Path, clips: nn.Module) -> None:
    file = checkpoint(tmp_path, clips.state_dict())
    encoder, _ = encoder_of_checkpoint(file, Unseen(head_width=64))
    assert encoder.config.heads == 1


def test_half_precision_comes_in_as_single(tmp_path: Path, plain: nn.Module) -> None:
    halves = {key: value.half() for key, value in plain.state_dict().items()}
    encoder, _ = encoder_of_checkpoint(checkpoint(tmp_path, halves), Unseen(heads=HEADS))
    assert {value.dtype for value in encoder.state_dict().values()} == {torch.float32}


def test_positions_are_resampled_as_timm_does_it(plain: nn.Module, tmp_path: Path) -> None:
    file = checkpoint(tmp_path, plain.state_dict())
    encoder, _ = encoder_of_checkpoint(file, Unseen(heads=HEADS))
    larger = for_size(encoder, 96)
    expected = resample_abs_pos_embed(plain.pos_embed, new_size=[6, 6], num_prefix_tokens=1)
    torch.testing.assert_close(larger.pos_embed, expected.detach(), rtol=1e-5, atol=1e-6)
    assert larger(images(96)).shape == (2, 37, 64)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state.pop("blocks.1.attn.qkv.bias"), r"lacks blocks\.1\.attn\.qkv\.bias"),
        (lambda state: state.pop("norm.weight"), r"lacks norm\.weight"),
        (
            lambda state: state.update({"blocks.0.ls1.gamma": torch.ones(64)}),
            r"also has blocks\.0\.ls1\.gamma",
        ),
        (lambda state: state.update({"reg_token": torch.ones(1, 4, 64)}), "also has reg_token"),
        (lambda state: state.update({"pos_embed": torch.ones(1, 18, 64)}), "18 positions are not"),
        (lambda state: state.update({"norm.bias": torch.ones(32)}), "another architecture in norm.bias"),
        (lambda state: state["norm.bias"].fill_(torch.nan), r"not finite in norm\.bias"),
        (lambda state: [state.pop(key) for key in list(state) if "embed" in key], "lacks pos_embed"),
    ],
)
def test_another_architecture_is_refused_by_name(
    tmp_path: Path, plain: nn.Module, change: Callable[[Tensors], object], words: str
) -> None:
    state = {key: value.clone() for key, value in plain.state_dict().items()}
    change(state)
    out = tmp_path / "e.safetensors"
    with pytest.raises(TrainerError, match=words) as caught:
        run_import(Import(checkpoint(tmp_path, state), kind="mae", heads=HEADS, out=out))
    assert caught.value.code == "CHECKPOINT_OTHER"
    assert not out.exists()


class Argument:
    """Stands for the options that training code keeps in its checkpoints."""


def test_nothing_but_tensors_is_ever_unpickled(tmp_path: Path, plain: nn.Module) -> None:
    torch.save({"model": plain.state_dict(), "args": Argument()}, tmp_path / "full.pth")
    (tmp_path / "text.pth").write_text("no checkpoint")
    torch.save([1, 2], tmp_path / "list.pth")
    for name, words in (
        ("full", "more than tensors"),
        ("text", "cannot be imported"),
        ("list", "holds a list"),
    ):
        with pytest.raises(TrainerError, match=words) as caught:
            run_import(Import(tmp_path / f"{name}.pth", kind="mae", heads=4, out=tmp_path / "e.safetensors"))
        assert caught.value.code == "CHECKPOINT_UNREADABLE"


def test_a_published_name_says_all_and_checks_sizes(tmp_path: Path) -> None:
    file = checkpoint(tmp_path, timms(embed_dim=48).state_dict())
    with pytest.raises(TrainerError, match=r"\(48, 2, 64\), those of the model named \(384, 12, 224\)"):
        run_import(Import(file, model="vits-mae-hoi", out=tmp_path / "e.safetensors"))
    with pytest.raises(TrainerError, match="none of vits-mae-hoi"):
        run_import(Import(file, model="vits", out=tmp_path / "e.safetensors"))


def test_a_published_small_encoder_comes_in_with_twelve_heads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    theirs = vision_transformer.vit_small_patch16_224(num_heads=12, num_classes=0).eval()
    file = checkpoint(tmp_path, theirs.state_dict())
    out = run_import(Import(file, model="vits-mae-hoi", out=tmp_path / "e.safetensors"))
    encoder = open_encoder(out)[0]
    assert encoder.config.heads == 12
    assert "not that of the published vits-mae-hoi" in capsys.readouterr().out
    with torch.no_grad():
        expected = theirs.forward_features(images(224)[:1])
        torch.testing.assert_close(encoder(images(224)[:1]), expected, rtol=1e-4, atol=1e-4)


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match=r"there is no such file.*Name the checkpoint's file"):
        run_import(Import(tmp_path / "none.pth", model="vits-mae-hoi", out=tmp_path / "e.safetensors"))


def test_nothing_is_overwritten(tmp_path: Path, plain: nn.Module) -> None:
    file = checkpoint(tmp_path, plain.state_dict())
    (tmp_path / "e.safetensors").write_text("mine")
    with pytest.raises(TrainerError) as caught:
        run_import(Import(file, kind="mae", heads=HEADS, out=tmp_path / "e.safetensors"))
    assert caught.value.code == "OUTPUT_EXISTS"
    assert (tmp_path / "e.safetensors").read_text() == "mine"
