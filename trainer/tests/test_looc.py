import copy
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cerebellum_trainer.commands.looc import Looc, LoocStudy, run_looc, run_looc_study
from cerebellum_trainer.contrast.backbone import ConvBackbone, ConvConfig, VitBackbone, whole_encoder
from cerebellum_trainer.contrast.loss import chance_loss, leave_one_out_loss
from cerebellum_trainer.contrast.measure import SetsConfig
from cerebellum_trainer.contrast.model import Contrast, LoocConfig, Spaces
from cerebellum_trainer.contrast.pretrain import ContrastRecipe, pretrain_contrast
from cerebellum_trainer.contrast.probes import Probe, few_shot
from cerebellum_trainer.contrast.queue import KeyQueue
from cerebellum_trainer.contrast.report import FAMILIES, Results, plot_factors, tables
from cerebellum_trainer.contrast.retrieval import nearest, retrieval_sheet, shared_labels
from cerebellum_trainer.contrast.study import Study, StudyConfig
from cerebellum_trainer.contrast.variants import SHEET, SINGLE_SPACES, SUPERVISED, UNTRAINED, VARIANTS
from cerebellum_trainer.contrast.views import leave_one_out
from cerebellum_trainer.encoders.files import load_encoder
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.intervals import wilson
from cerebellum_trainer.pictures.augment import apply_numbers
from cerebellum_trainer.pictures.draw import PicturesConfig, draw_pictures
from cerebellum_trainer.pictures.samples import PictureSamples, planes_of, standardised
from cerebellum_trainer.training.world import World
from cerebellum_trainer.vit import VitConfig

ALL = ("colour", "rotation", "texture")
SMALL = ConvConfig(widths=(8, 16))
QUEUE_OF_CROPS = 64
THREE = LoocConfig(augmentations=ALL, spaces=ALL, queue=64, head_width=16, embedding_width=8)


def backbone() -> ConvBackbone:
    return ConvBackbone(SMALL)


def views(count: int, batch: int = 4) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(batch, 3, 32, 32, generator=generator) for _ in range(count)]


def test_each_key_shares_one_augmentation_with_the_query_and_no_other() -> None:
    query, key0, *keys = leave_one_out(64, ALL, ALL, torch.Generator().manual_seed(0))
    assert set(query) == {*ALL, "frame", "blur"}

    def alike(key: dict[str, torch.Tensor], name: str) -> float:
        """Share of pictures whose numbers are the query's; by chance some are (a quarter of the turns)."""
        return (key[name] == query[name]).all(dim=1).float().mean().item()

    for space, key in zip((None, *ALL), (key0, *keys), strict=True):
        for name in query:
            assert alike(key, name) == 1 if name == space else alike(key, name) < 0.6, (space, name)
    for first, second in ((key0, keys[0]), (keys[0], keys[1]), (keys[1], keys[2])):
        assert not torch.equal(first["frame"], second["frame"])


def test_shared_augmentations_vary_between_pictures_but_not_between_views() -> None:
    query, key0 = leave_one_out(64, ("colour", "rotation"), (), shared=("rotation",))
    assert torch.equal(query["rotation"], key0["rotation"])
    assert len(query["rotation"].unique()) == 4
    assert not torch.equal(query["colour"], key0["colour"])


def test_a_space_without_its_augmentation_is_refused() -> None:
    with pytest.raises(ValueError, match="texture"):
        leave_one_out(2, ("colour",), ("texture",))
    with pytest.raises(ValueError, match="must be among"):
        LoocConfig(augmentations=("colour",), spaces=("rotation",))


def slow_loss(
    query: list[torch.Tensor], keys: list[torch.Tensor], queues: list[torch.Tensor], temperature: float
) -> float:
    """The formula as it is written, a picture and a space at a time, in doubles."""
    batch, total = len(query[0]), 0.0
    for row in range(batch):
        for space in range(len(query)):

            def e(other: torch.Tensor, q: torch.Tensor = query[space][row]) -> float:
                return math.exp(
                    sum(a * b for a, b in zip(q.tolist(), other.tolist(), strict=True)) / temperature
                )

            others = sum(e(queues[space][:, k]) for k in range(queues[space].shape[1]))
            if space == 0:
                positive = e(keys[0][0][row])
                total += math.log(positive / (positive + others))
            else:
                own = sum(e(keys[space][view][row]) for view in range(len(keys[space])))
                total += math.log(e(keys[space][space][row]) / (own + others))
    return -total / batch / len(query)


@pytest.mark.parametrize("spaces", [0, 1, 3])
def test_the_loss_is_the_formula(spaces: int) -> None:
    generator = torch.Generator().manual_seed(spaces)

    def unit(*shape: int, dim: int = -1) -> torch.Tensor:
        return F.normalize(torch.randn(*shape, generator=generator, dtype=torch.float64), dim=dim)

    query = [unit(5, 6) for _ in range(spaces + 1)]
    keys = [unit(1, 5, 6), *[unit(spaces + 1, 5, 6) for _ in range(spaces)]]
    queues = [unit(6, 7, dim=0) for _ in range(spaces + 1)]
    loss, right = leave_one_out_loss(query, keys, queues, 0.2)
    assert loss.item() == pytest.approx(slow_loss(query, keys, queues, 0.2), abs=1e-12)
    assert len(right) == spaces + 1
    # A space whose positive is the query itself, and nothing else near, is right every time.
    keys[0] = query[0][None]
    queues[0] = -query[0].T
    assert leave_one_out_loss(query, keys, queues, 0.2)[1][0] == 1


@pytest.mark.parametrize("spaces", [0, 2])
def test_where_all_embeddings_are_alike_the_loss_is_that_of_chance(spaces: int) -> None:
    alike = torch.ones(4, 1)
    keys = [alike[None], *[alike.expand(spaces + 1, 4, 1)] * spaces]
    queues = [torch.ones(1, 9)] * (spaces + 1)
    loss, _ = leave_one_out_loss([alike] * (spaces + 1), keys, queues, 0.2)
    assert loss.item() == pytest.approx(chance_loss(spaces, 9))


def test_the_same_picture_under_another_turn_is_wrong_in_the_space_of_turns() -> None:
    """Key 0 at the query's place and key 1 apart: space 0 is content, space 1 is not."""
    here, there = torch.eye(4)[:1], torch.eye(4)[1:2]
    queue = torch.eye(4)[:, 3:]
    keys = [here[None], torch.stack([here, there])]
    _, right = leave_one_out_loss([here, here], keys, [queue, queue], 0.2)
    assert right == [1, 0]


def test_a_queue_forgets_the_oldest_first() -> None:
    queue = KeyQueue(2, 5)
    rows = torch.arange(16.0).view(8, 2)
    for part in rows.split(2):
        queue.push(part)
    assert sorted(queue.keys[0].tolist()) == [6, 8, 10, 12, 14]
    assert queue.next.item() == 3
    again = KeyQueue(2, 5)
    again.load_state_dict(queue.state_dict())
    again.push(rows[:1])
    assert sorted(again.keys[0].tolist()) == [0, 8, 10, 12, 14]
    with pytest.raises(ValueError, match="8 keys"):
        queue.push(rows)


def test_a_queue_knows_its_newer_half() -> None:
    queue = KeyQueue(2, 6)
    assert queue.newer().tolist() == [False, False, False, True, True, True]
    queue.push(torch.eye(2))
    assert queue.newer().tolist() == [True, True, False, False, False, True]


@pytest.mark.parametrize("concatenated", [False, True])
def test_every_space_has_its_head_its_queue_and_its_own_key(concatenated: bool) -> None:
    torch.manual_seed(0)
    model = Contrast(backbone(), LoocConfig(**{**THREE.__dict__, "concatenated": concatenated}))
    assert len(model.query.late) == (4 if concatenated else 1)
    before = [queue.keys.clone() for queue in model.queues]
    seen = views(5)
    loss, shares = model(seen)
    loss.backward()
    assert set(shares) == {f"{kind}_{name}" for kind in ("right", "newer") for name in ("invariant", *ALL)}
    assert all(p.grad is None for p in model.key.parameters())
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.query.parameters())
    for space, (queue, old) in enumerate(zip(model.queues, before, strict=True)):
        # Space i keeps key i, as the key network sees it; nothing else of the queue changed.
        expected = model.key(seen[1 + space])[space]
        torch.testing.assert_close(queue.keys[:, :4].T, expected)
        assert torch.equal(queue.keys[:, 4:], old[:, 4:])


def test_the_key_network_follows_slowly() -> None:
    torch.manual_seed(0)
    model = Contrast(backbone(), THREE)
    start = copy.deepcopy(model.key)
    with torch.no_grad():
        for parameter in model.query.parameters():
            parameter.add_(1.0)
    model.follow()
    for old, new in zip(start.parameters(), model.key.parameters(), strict=True):
        torch.testing.assert_close(new, old + 0.01, atol=1e-5, rtol=0)


def test_a_picture_does_not_see_the_others_of_its_batch() -> None:
    """With batch norm a query could tell its key by the statistics that both were made with."""
    torch.manual_seed(0)
    spaces = Spaces(backbone(), THREE)
    images = views(1)[0]
    torch.testing.assert_close(spaces(images)[2][:1], spaces(images[:1])[2], atol=1e-5, rtol=1e-5)


def test_a_vision_transformer_comes_back_whole(small_vit: VitConfig) -> None:
    torch.manual_seed(0)
    spaces = Spaces(VitBackbone(small_vit), LoocConfig())
    images = torch.randn(2, 3, 112, 112)
    tokens = whole_encoder(spaces.early, spaces.late[0])(images)
    assert tokens.shape == (2, 50, 32)
    torch.testing.assert_close(tokens[:, 1:].mean(dim=1), spaces.features(images)[0])
    for sizes, why in (({"depth": 1}, "no block"), ({"stem": (4, 8, 16, 32)}, "batch norm")):
        with pytest.raises(ValueError, match=why):
            VitBackbone(VitConfig(heads=2, width=32, **sizes))


def test_the_query_network_learns_to_find_its_keys() -> None:
    torch.manual_seed(0)
    model = Contrast(backbone(), THREE)
    planes = planes_of(torch.from_numpy(draw_pictures(16, 0, PicturesConfig(size_px=16)).images))
    numbers = leave_one_out(16, ALL, ALL, torch.Generator().manual_seed(1))
    seen = [standardised(apply_numbers(planes, row)) for row in numbers]
    keys = model.keys(seen[1:])
    queues = [queue.keys for queue in model.queues]
    optimiser = torch.optim.Adam(model.query.parameters(), lr=1e-2)
    losses, shares = [], []
    for _ in range(60):
        loss, right = leave_one_out_loss(model.query(seen[0]), keys, queues, 0.2)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        shares.append(np.mean(right))
    assert losses[-1] < losses[0] - 0.05
    # In a space of three wrong views and one that is right, chance is a quarter.
    assert shares[-1] > 0.7 > shares[0] + 0.1


def moco_of_crops(learning_rate: float, momentum: float) -> tuple[Contrast, torch.Tensor, np.ndarray]:
    """MoCo after 80 steps on 256 pictures, these, and (80, 3) loss, share right, share in the newer half."""
    torch.manual_seed(0)
    planes = planes_of(torch.from_numpy(draw_pictures(256, 0, PicturesConfig(size_px=16)).images))
    model = Contrast(
        backbone(), LoocConfig(augmentations=(), spaces=(), queue=QUEUE_OF_CROPS, momentum=momentum)
    )
    optimiser = torch.optim.AdamW(model.query.parameters(), lr=learning_rate)
    curves = []
    for _ in range(80):
        some = planes[torch.randint(len(planes), (32,))]
        loss, shares = model([standardised(apply_numbers(some, row)) for row in leave_one_out(32, (), ())])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        model.follow()
        curves.append((loss.item(), shares["right_invariant"], shares["newer_invariant"]))
    return model, planes, np.array(curves)


@torch.no_grad()
def found_among_its_peers(model: Contrast, planes: torch.Tensor) -> float:
    """Share of the pictures whose key is nearest among keys of all pictures, none older than another."""
    query, key = (standardised(apply_numbers(planes, row)) for row in leave_one_out(len(planes), (), ()))
    nearest = (model.query(query)[0] @ model.keys([key])[0][0].T).argmax(dim=1)
    return (nearest == torch.arange(len(planes))).float().mean().item()


def test_keys_of_a_network_that_moves_slowly_tell_pictures_apart_and_of_a_fast_one_their_age() -> None:
    chance = chance_loss(0, QUEUE_OF_CROPS)
    model, planes, curves = moco_of_crops(learning_rate=2e-3, momentum=0.99)
    loss, right, newer = curves[-20:].mean(axis=0)
    assert loss < 0.88 * chance
    assert 0.05 < right < 0.5
    assert newer < 0.7
    assert found_among_its_peers(model, planes) > 6 / 256
    model, planes, curves = moco_of_crops(learning_rate=2e-2, momentum=0.5)
    loss, right, newer = curves[-20:].mean(axis=0)
    # Its positives are nearest each time, for they alone are new; of the pictures it knows nothing.
    assert loss > 0.95 * chance
    assert min(right, newer) > 0.95
    assert found_among_its_peers(model, planes) < 3 / 256


def test_training_repeats_with_its_seed() -> None:
    samples = PictureSamples(draw_pictures(64, 0, PicturesConfig(size_px=16)).images)
    config = LoocConfig(queue=32)
    recipe = ContrastRecipe(images=16 * 3, batch=16)
    model, first = pretrain_contrast(samples, backbone, config, recipe, 1)
    again, other = (pretrain_contrast(samples, backbone, config, recipe, seed)[1] for seed in (1, 2))
    assert not model.training
    assert len(first) == 3
    assert first == again
    assert first != other
    # The key network has followed, but only a little.
    pairs = zip(model.query.parameters(), model.key.parameters(), strict=True)
    assert any(not torch.equal(fast, slow) for fast, slow in pairs)


def test_a_probe_separates_what_is_separable() -> None:
    chance = np.random.default_rng(0)
    labels = chance.integers(3, size=300)
    features = (np.eye(3, 5)[labels] * 50 + chance.normal(size=(300, 5))).astype(np.float32)
    assert Probe(features[:200], labels[:200], 3).right(features[200:], labels[200:]) == 1
    noise = chance.normal(size=(300, 5)).astype(np.float32)
    assert Probe(noise[:200], labels[:200], 3).right(noise[200:], labels[200:]) < 0.6
    assert Probe(noise[:200], labels[:200], 3).right(noise[200:], labels[200:], best=3) == 1
    mean, error = few_shot((features[:200], labels[:200]), (features[200:], labels[200:]), 5, 3, 0)
    assert (mean, error) == (1, 0)
    with pytest.raises(ValueError, match="500 pictures"):
        few_shot((features, labels), (features, labels), 500, 1, 0)


def test_wilsons_interval() -> None:
    """Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for right, count, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        found = wilson(right / count, count)
        assert found == pytest.approx((low, high), abs=2e-4)


def test_neighbours_are_by_angle() -> None:
    known = np.array([[1, 0], [0, 9], [2, 0.1], [-1, 0]], np.float32)
    found = nearest(np.array([[3, 0], [0, 1]], np.float32), known, 2)
    assert found.tolist() == [[0, 2], [1, 2]]
    shares = shared_labels(found, {"shape": np.array([1, 0])}, {"shape": np.array([1, 0, 0, 1])})
    assert shares == {"shape": 0.75}
    pictures = draw_pictures(4, 0).images
    sheet = retrieval_sheet(pictures[:2], pictures, {"a": found, "b": found})
    assert sheet.size == (2 * (3 * 32 + 12), 14 + 64)
    corner = np.array(sheet)[14:46, :32]
    np.testing.assert_array_equal(corner, pictures[0])


def test_every_table_has_its_models() -> None:
    names = (
        "shape",
        "shape, best 3",
        "shape, strange",
        "colour",
        "texture",
        "shape + texture",
        "shape + colour",
    )
    measured = dict.fromkeys((*names, "5-shot", "10-shot", "rotation", *FAMILIES), 0.25)
    results: Results = {name: {"measured": measured} for name in (UNTRAINED, SUPERVISED, *VARIANTS)}
    results[SINGLE_SPACES] |= {"single": {"invariant": measured, "texture": {**measured, "texture": 0.875}}}
    results[SHEET[0]] |= {"alike": {"shape": 0.5, "colour": 0.125}, "loss": 4.125, "chance": 6.25}
    text = tables(results)
    assert all(f"| {name} |" in text for name in results)
    assert "| texture | 25.0 | 25.0 | 87.5 |" in text
    assert f"| {SHEET[0]} | 50.0 | 12.5 |" in text
    assert f"| {SHEET[0]} | 4.12 | 6.25 |" in text
    assert tables({UNTRAINED: results[UNTRAINED]}).count(f"| {UNTRAINED} |") == 4
    with pytest.raises(TrainerError) as caught:
        run_looc_study(LoocStudy(models=("SimCLR",)))
    assert caught.value.code == "MODEL_UNKNOWN"
    assert VARIANTS["MoCo"].spaces == ()
    assert VARIANTS["LooC, all three"].spaces == ALL


def test_the_study_trains_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = {name: VARIANTS[name] for name in (SHEET[0], SINGLE_SPACES)}
    monkeypatch.setattr("cerebellum_trainer.contrast.study.VARIANTS", chosen)
    config = StudyConfig(
        sets=SetsConfig(seen=64, known=900, asked=60, corrupted=8, strengths=(5,)),
        backbone=SMALL,
        recipe=ContrastRecipe(images=64, batch=32),
    )
    models = (UNTRAINED, SUPERVISED, *chosen)
    results = Study(config, tmp_path, World()).run(models)
    assert list(results) == [UNTRAINED, SUPERVISED, *chosen]
    assert list(results[SINGLE_SPACES]["single"]) == ["invariant", *ALL]
    assert results[SHEET[0]]["chance"] == chance_loss(0, config.queue)
    assert results[SINGLE_SPACES]["loss"] == pytest.approx(np.mean(results[SINGLE_SPACES]["losses"][-5:]))
    assert "loss" not in results[SUPERVISED]
    assert all(0 <= share <= 1 for result in results.values() for share in result["measured"].values())
    files = sorted(tmp_path.glob("*.json"))
    assert len(files) == 4
    before = {file: file.stat().st_mtime_ns for file in files[1:]}
    files[0].unlink()
    again = Study(config, tmp_path, World())
    assert {name: r["measured"] for name, r in again.run(models).items()} == {
        name: r["measured"] for name, r in results.items()
    }
    assert {file: file.stat().st_mtime_ns for file in files[1:]} == before
    assert again.found[SHEET[0]].shape == (8, 5)
    plot_factors(results, tmp_path / "factors.png")
    assert 1_000 < (tmp_path / "factors.png").stat().st_size < 150_000
    capsys.readouterr()


def test_a_pretrained_encoder_is_a_file_like_any_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "corpus.npy", np.random.default_rng(0).integers(0, 255, (24, 32, 32, 3), np.uint8))
    config = Looc(
        corpus=(tmp_path / "corpus.npy",),
        out=tmp_path / "run",
        vit=VitConfig(heads=2, image_px=32, width=32, depth=2),
        looc=LoocConfig(queue=32),
        recipe=ContrastRecipe(images=32, batch=8),
    )
    encoder, pretraining = load_encoder(run_looc(config))[:2]
    assert pretraining == "contrastive"
    assert encoder(torch.randn(1, 3, 32, 32)).shape == (1, 5, 32)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["state"] == "finished"
    with pytest.raises(TrainerError) as caught:
        run_looc(Looc(corpus=config.corpus, looc=LoocConfig(concatenated=True)))
    assert caught.value.code == "ENCODER_SEVERAL"
    capsys.readouterr()
