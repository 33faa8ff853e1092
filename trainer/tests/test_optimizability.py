from pathlib import Path

import numpy as np
import pytest
import torch

from cerebellum_trainer.commands.optimizability import Optimizability, run_optimizability
from cerebellum_trainer.encoders.complexity import complexity
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.optimizability.edf import edf, paired_difference, summary
from cerebellum_trainer.optimizability.plan import (
    INTERVALS,
    OPTIMISERS,
    STEMS,
    PlanConfig,
    SizesConfig,
    length_trials,
    random_trials,
)
from cerebellum_trainer.optimizability.trials import Classifier, Trials
from cerebellum_trainer.training.world import World

TINY = PlanConfig(
    sizes=SizesConfig(width=16, heads=2, depth=2, stem=(4, 8, 16)),
    pictures=64,
    asked=40,
    epochs=1,
    lengths=(1, 2),
    samples=2,
    seeds=2,
    batch=32,
)


def test_settings_come_in_pairs_from_fixed_intervals() -> None:
    trials = list(random_trials(PlanConfig(samples=30)))
    assert len(trials) == 30 * 4
    for optimiser in OPTIMISERS:
        settings = {
            stem: [
                (t.learning_rate, t.weight_decay)
                for t in trials
                if (t.stem, t.optimiser) == (stem, optimiser)
            ]
            for stem in STEMS
        }
        assert settings["ViT_P"] == settings["ViT_C"]
        assert len({*settings["ViT_P"]}) == 30
        bounds = INTERVALS[optimiser]
        for values, interval in zip(
            zip(*settings["ViT_P"], strict=True), (bounds.learning_rate, bounds.weight_decay), strict=True
        ):
            logs = np.log(values)
            assert interval.low <= min(values) < max(values) <= interval.high
            # Even in the logarithm: neither half of the interval is empty.
            middle = np.log(interval.low * interval.high) / 2
            assert 0.25 < (logs < middle).mean() < 0.75
    # More samples leave those that were there.
    assert [t for t in random_trials(PlanConfig(samples=4)) if t.optimiser == "sgd"] == [
        t for t in trials if t.optimiser == "sgd"
    ][:8]


def test_the_stem_is_bought_with_a_block() -> None:
    sizes = SizesConfig()
    models = {stem: Classifier(sizes.vit(stem), 10) for stem in STEMS}
    assert len(models["ViT_P"].encoder.blocks) == len(models["ViT_C"].encoder.blocks) + 1
    costs = [complexity(model.encoder).flops for model in models.values()]
    assert costs[1] == pytest.approx(costs[0], rel=0.2)
    for model in models.values():
        assert model(torch.randn(2, 3, 32, 32)).shape == (2, 10)


def test_edf_and_its_summary() -> None:
    errors = np.array([0.5, 0.1, 0.3, 0.13])
    values, shares = edf(errors)
    assert values.tolist() == [0.1, 0.13, 0.3, 0.5]
    assert shares.tolist() == [0.25, 0.5, 0.75, 1]
    told = summary(errors)
    assert (told.best, told.near) == (0.1, 0.5)
    assert told.median == pytest.approx(0.215)
    assert told.spread == pytest.approx(0.115)


def test_a_paired_difference_knows_its_sign_and_its_doubt() -> None:
    chance = np.random.default_rng(0)
    hard = chance.uniform(0.2, 0.9, 60)
    found = paired_difference(hard, hard / 2, 0)
    assert found["median"][0] == pytest.approx(-np.median(hard) / 2)
    assert found["median"][1] < found["median"][0] < found["median"][2] < 0
    same = paired_difference(hard, hard[::-1].copy(), 0)
    assert same["spread"][1] <= 0 <= same["spread"][2]
    with pytest.raises(ValueError, match="same settings"):
        paired_difference(hard, hard[:3], 0)


def test_one_command_makes_tables_and_plots_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Optimizability(out=tmp_path, plan=TINY)
    tables = run_optimizability(config).read_text()
    assert tables.count("**\n") == 0
    assert tables.count("| ViT_C |") == 2 + 2 + 1 + 1
    for name in ("edf", "settings", "lengths"):
        assert 1_000 < (tmp_path / f"{name}.png").stat().st_size < 150_000
    lines = (tmp_path / "trials.jsonl").read_text().splitlines()
    # The sizes, 8 random runs, 4 longer ones (the shortest are known), a second seed of each stem.
    assert len(lines) == 1 + 8 + 4 + 2
    (tmp_path / "trials.jsonl").write_text("\n".join(lines[:-2]) + "\n")
    assert run_optimizability(config).read_text() == tables
    assert len((tmp_path / "trials.jsonl").read_text().splitlines()) == len(lines)
    with pytest.raises(TrainerError) as caught:
        run_optimizability(Optimizability(out=tmp_path, plan=PlanConfig(**{**TINY.__dict__, "pictures": 96})))
    assert caught.value.code == "TRIALS_OTHER"
    capsys.readouterr()


def test_a_run_that_diverges_counts_as_chance(tmp_path: Path) -> None:
    trials = Trials(TINY, tmp_path / "t.jsonl", World(), tell=lambda _: None)
    wild = next(t for t in random_trials(TINY) if t.optimiser == "sgd")
    wild = type(wild)(**{**wild.__dict__, "learning_rate": 1e30})
    outcome = trials.run([wild])[0]
    assert outcome.diverged
    assert outcome.error == pytest.approx(0.9)
    assert Trials(TINY, tmp_path / "t.jsonl", World()).done[wild.name()] == outcome


def test_lengths_are_run_at_each_ones_own_best(tmp_path: Path) -> None:
    trials = Trials(TINY, tmp_path / "t.jsonl", World(), tell=lambda _: None)
    random = trials.run(random_trials(TINY))
    best = trials.best(random)
    for (stem, optimiser), trial in best.items():
        errors = [o.error for o in random if (o.trial.stem, o.trial.optimiser) == (stem, optimiser)]
        assert trials.done[trial.name()].error == min(errors)
        mine = [t for t in length_trials(TINY, best) if (t.stem, t.optimiser) == (stem, optimiser)]
        assert [t.epochs for t in mine] == [1, 2]
        assert {t.learning_rate for t in mine} == {trial.learning_rate}
