"""A sweep on synthetic recordings, with an evaluator that stands for the daemon's."""

import json
import math
import sys
from pathlib import Path

import onnx
import pytest
import scipy.stats
import torch
from recording import edit, write_edits, write_episode

from cerebellum_trainer.bundle import ClonedPolicy
from cerebellum_trainer.commands.sweep import Sweep, run_sweep
from cerebellum_trainer.encoders.files import save_encoder
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.images import Preprocessing
from cerebellum_trainer.samples import Reading, Stillness
from cerebellum_trainer.sweep.demonstrations import of_episodes, read_demonstrations
from cerebellum_trainer.sweep.plan import SweepPlan, read_sweep
from cerebellum_trainer.sweep.statistics import mcnemar_p, wilson_interval
from cerebellum_trainer.vit import VisionTransformer, VitConfig

# Succeeds everywhere with the pre-trained encoder, and at the first position alone with others.
EVALUATOR = """
import json, sys
from pathlib import Path
options = dict(zip(sys.argv[2::2], sys.argv[3::2]))
folder = Path(options["--bundle"])
with (Path(__file__).parent / "calls.txt").open("a") as calls:
    calls.write(folder.parent.name + "\\n")
(Path(__file__).parent / "options.json").write_text(json.dumps(options))
if (Path(__file__).parent / "broken").exists():
    sys.exit("NO_ROOM: the lab is on fire")
good = json.loads((folder / "policy.json").read_text())["encoder"]["pretraining"] == "mae"
count = range(int(options["--positions"]))
trials = [{"index": k, "seed": 100 + k, "success": good or k == 0} for k in count]
found = {"clock": options["--clock"], "light": options["--light"], "seed": int(options["--seed"])}
found["trials"] = trials
Path(options["--json"]).write_text(json.dumps(found))
"""
PAGE = """
schema: cerebellum/sweep@1
name: tiny
episodes: [episodes]
held_out: 1
encoders:
  mae: {path: encoder.safetensors}
  random: {like: mae, seed: 7}
base:
  encoder: mae
  recipe: {epochs: 2, batch: 16, learning_rate: 1e-3}
  relighting: {copies: 0}
grid: {encoder: [mae, random], demonstrations: [2]}
evaluate: {positions: 8, seed: 5}
reference: {encoder: mae}
"""


@pytest.fixture
def place(tmp_path: Path, small_encoder: VisionTransformer) -> Path:
    for seed in range(4):
        write_episode(tmp_path / "episodes", 1 + seed, seed=seed)
    save_encoder(small_encoder, tmp_path / "encoder.safetensors", "mae")
    (tmp_path / "evaluator.py").write_text(EVALUATOR)
    return tmp_path


def write(place: Path, text: str = PAGE) -> Path:
    file = place / "sweep.yaml"
    file.write_text(text)
    return file


def run(place: Path, text: str = PAGE) -> dict:
    evaluator = (sys.executable, str(place / "evaluator.py"))
    out = run_sweep(Sweep(write(place, text), out=place / "out", evaluator=evaluator))
    return json.loads((out / "results.json").read_text())


def calls(place: Path) -> int:
    return len((place / "calls.txt").read_text().split())


@pytest.fixture
def quick_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bundles without their graphs: those are other tests' matter, and take seconds."""

    def write_bundle(folder: Path, policy: ClonedPolicy, _: object) -> dict:
        folder.mkdir(parents=True, exist_ok=True)
        manifest = {
            "encoder": {"pretraining": policy.pretraining},
            "provenance": {"trainingParityMaxAbs": 0},
        }
        (folder / "policy.json").write_text(json.dumps(manifest))
        return manifest

    monkeypatch.setattr("cerebellum_trainer.sweep.training.write_bundle", write_bundle)


@pytest.mark.usefixtures("quick_export")
class TestSweep:
    def test_runs_are_trained_tried_and_compared_at_the_same_positions(self, place: Path) -> None:
        found = run(place)
        first, second = found["rows"]
        assert (first["name"], second["name"]) == ("mae, 2 demonstrations", "random, 2 demonstrations")
        assert first["demonstrations"] == 2
        assert first["frames"] == 28
        assert first["heldOutReachRmsRad"] > 0
        assert "paired" not in first["trials"]["training"]
        trials = second["trials"]["training"]
        assert (trials["successes"], trials["trials"]) == (1, 8)
        low, high = wilson_interval(1, 8)
        assert trials["interval95"] == {"low": low, "high": high}
        assert trials["paired"] == {
            "with": "mae, 2 demonstrations",
            "onlyThis": 0,
            "onlyReference": 7,
            "mcnemarP": pytest.approx(2 / 2**7),
            "intervalsDisjoint": True,
        }
        table = (place / "out" / "table.md").read_text()
        assert "| 1 of 8 [2, 47 %] | training: +0 -7, p 0.016, intervals apart |" in table
        assert (place / "out" / "results.png").read_bytes()[:4] == b"\x89PNG"

    def test_trials_are_in_the_cell_that_is_named_and_seen_through_the_runs_own_camera(
        self, place: Path
    ) -> None:
        def options_of(text: str) -> dict:
            run(place, text)
            return json.loads((place / "options.json").read_text())

        one = PAGE.replace(
            "grid: {encoder: [mae, random], demonstrations: [2]}", "grid: {demonstrations: [2]}"
        )
        assert not {"--cell", "--camera"} & options_of(one).keys()
        in_cell = one.replace("seed: 5}", "seed: 5, cell: two-cameras}")
        assert in_cell != one
        # The same bundle, tried elsewhere: the trials that are there do not count.
        told = options_of(in_cell)
        assert (told["--cell"], told["--camera"]) == ("two-cameras", "wrist")
        assert (calls(place), len(list(place.glob("out/*/run.json")))) == (2, 1)
        (place / "my-cell.yaml").write_text("")
        write_beside = one.replace("seed: 5}", "seed: 5, cell: my-cell.yaml}").replace("[episodes]", "[both]")
        for seed in range(4):
            pictures = tuple(step * 200_000_000 for step in range(14))
            write_episode(place / "both", 1 + seed, seed=10 + seed, beside_ns=pictures)
        told = options_of(write_beside.replace("grid: {", "grid: {reading.camera: [beside], "))
        assert (told["--cell"], told["--camera"]) == (str(place / "my-cell.yaml"), "beside")

    def test_it_goes_on_where_it_ended_and_does_nothing_twice(self, place: Path) -> None:
        run(place)
        records = {file: file.stat().st_mtime_ns for file in place.glob("out/*/run.json")}
        assert (len(records), calls(place)) == (2, 2)
        run(place)
        assert calls(place) == 2
        next(place.glob("out/random*/trials-*.json")).unlink()
        run(place)
        assert calls(place) == 3
        assert records == {file: file.stat().st_mtime_ns for file in place.glob("out/*/run.json")}
        # Other settings are other runs; those that were there stay.
        assert len(run(place, PAGE.replace("epochs: 2", "epochs: 3"))["rows"]) == 2
        assert calls(place) == 5
        assert len(list(place.glob("out/*/run.json"))) == 4

    def test_trials_that_fail_leave_the_training_and_say_why(self, place: Path) -> None:
        (place / "broken").touch()
        with pytest.raises(TrainerError, match="the lab is on fire") as caught:
            run(place)
        assert caught.value.code == "EVALUATION_FAILED"
        assert len(list(place.glob("out/*/run.json"))) == 1
        assert not list(place.glob("out/*/trials-*"))
        (place / "broken").unlink()
        trained = next(place.glob("out/*/run.json")).stat().st_mtime_ns
        assert len(run(place)["rows"]) == 2
        assert next(place.glob("out/mae*/run.json")).stat().st_mtime_ns == trained

    def test_trials_of_a_bundle_that_is_trained_anew_do_not_count(self, place: Path) -> None:
        run(place)
        next(place.glob("out/mae*/run.json")).unlink()
        run(place)
        assert calls(place) == 3

    def test_other_demonstrations_or_another_encoder_are_trained_anew(
        self, place: Path, small_vit: VitConfig
    ) -> None:
        run(place)
        write_edits(place / "episodes", edit(1, 0, "label", outcome="failure"))
        run(place)
        assert calls(place) == 4
        torch.manual_seed(11)
        save_encoder(VisionTransformer(small_vit), place / "encoder.safetensors", "mae")
        run(place)
        assert calls(place) == 6

    def test_seeds_are_counted_together_and_variants_change_one_thing(self, place: Path) -> None:
        variants = """
variants:
  no image: {controller.uses_image: false}
  larger controller: {controller.hidden: [512, 256, 128], encoder: random}
seeds: [0, 1]
"""
        page = PAGE.replace("grid: {encoder: [mae, random], demonstrations: [2]}", variants)
        blind, larger = run(place, page.replace("reference: {encoder: mae}", "reference: no image"))["rows"]
        assert larger["trials"]["training"]["paired"]["onlyReference"] == 14
        assert "paired" not in blind["trials"]["training"]
        assert (blind["seeds"], blind["trials"]["training"]["trials"]) == ([0, 1], 16)
        assert larger["trials"]["training"]["successes"] == 2
        assert larger["demonstrations"] == 3
        settings = json.loads(next(place.glob("out/larger-controller-seed1-*/run.json")).read_text())[
            "settings"
        ]
        assert settings["controller"]["hidden"] == [512, 256, 128]

    def test_an_encoder_that_is_trained_is_the_runs_own(self, place: Path) -> None:
        page = PAGE.replace("random: {like: mae, seed: 7}", "scratch: {like: mae, seed: 7, trained: true}")
        page = page.replace("[mae, random]", "[scratch]").replace(
            "base:\n", "base:\n  finetuning: {images: 48, batch: 16}\n"
        )
        run(place, page)
        record = json.loads(next(place.glob("out/scratch*/run.json")).read_text())
        torch.manual_seed(7)
        assert record["encoder"]["said"] == "random weights, trained with the controller"
        assert len(record["results"]["losses"]) == 3


def test_a_bundle_of_a_blind_policy_has_all_that_others_have(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cerebellum_trainer.bundle.daemon_is_built", lambda: False)
    page = PAGE.replace(
        "grid: {encoder: [mae, random], demonstrations: [2]}",
        "variants: {blind: {controller.uses_image: false}}",
    )
    run(place, page.replace("evaluate: {positions: 8, seed: 5}", ""))
    bundle = next(place.glob("out/blind*/bundle"))
    manifest = json.loads((bundle / "policy.json").read_text())
    assert manifest["provenance"]["dataset"]["episodes"] == 3
    assert len(manifest["provenance"]["dataset"]["recordings"]) == 3
    assert len(json.loads((bundle / "goldens.json").read_text())["cases"]) == 3
    names = [value.name for value in onnx.load(bundle / "controller.onnx").graph.input]
    assert names == ["feature", "state"]


class TestPlan:
    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (("schema: cerebellum/sweep@1", "schema: other"), "schema: cerebellum/sweep@1"),
            (("epochs: 2", "epoch: 2"), "sweep.yaml.base.recipe: 'epoch'"),
            (("epochs: 2", "epochs: two"), "base.recipe.epochs: 'two' where a whole number"),
            (("epochs: 2", "epochs: 0"), "train nothing"),
            (("copies: 0", "copies: true"), "base.relighting.copies: True"),
            (("demonstrations: [2]", "demonstration: [2]"), "grid.demonstration"),
            (("demonstrations: [2]", "recipe.batches: [2]"), "grid.recipe.batches: 'batches'"),
            (("demonstrations: [2]", "controller.feature: [cls]"), "class-token or patch-tokens"),
            (("[mae, random]", "[mae, none]"), "'none' where one of mae, random"),
            (("like: mae", "like: other"), "encoders.random.like"),
            (("{like: mae, seed: 7}", "{seed: 7}"), "either `path` or `like`"),
            (("[mae, random]", "[mae, mae]"), "Two runs are the same"),
            (("reference: {encoder: mae}", "reference: best"), "'best' where the name of a run"),
            (("reference: {encoder: mae}", "reference: {encoder: best}"), "reference.encoder: 'best'"),
            (("name: tiny", "named: tiny"), "'named' where one of name"),
            (("episodes: [episodes]\n", ""), "a mapping with episodes"),
            (("schema:", "schema: ["), "cannot be read"),
        ],
    )
    def test_what_is_wrong_is_named_with_its_place(
        self, tmp_path: Path, change: tuple[str, str], words: str
    ) -> None:
        with pytest.raises(TrainerError) as caught:
            read_sweep(write(tmp_path, PAGE.replace(*change)))
        assert words in str(caught.value)

    def test_a_grid_is_every_combination_and_paths_are_relative_to_the_file(self, tmp_path: Path) -> None:
        (tmp_path / "encoder.safetensors").touch()
        page = PAGE.replace("demonstrations: [2]", "demonstrations: [20, 40, 80], recipe.epochs: [2, 4]")
        plan = read_sweep(write(tmp_path, page))
        assert [r.name for r in plan.runs()][:3] == [
            "mae, 20 demonstrations, 2 epochs",
            "mae, 20 demonstrations, 4 epochs",
            "mae, 40 demonstrations, 2 epochs",
        ]
        assert len({r.folder for r in plan.runs()}) == 12
        assert plan.episodes == (tmp_path / "episodes",)
        assert plan.encoders["mae"].path == tmp_path / "encoder.safetensors"

    def test_a_run_is_compared_with_the_one_that_differs_in_the_reference_alone(self, tmp_path: Path) -> None:
        plan: SweepPlan = read_sweep(write(tmp_path, PAGE.replace("[2]", "[2, 3]")))
        runs = plan.runs()
        names = [other and other.name for other in (plan.reference_of(r, runs) for r in runs)]
        assert names == [None, None, "mae, 2 demonstrations", "mae, 3 demonstrations"]

    def test_another_budget_of_fine_tuning_is_another_run_only_where_the_encoder_is_trained(
        self, tmp_path: Path
    ) -> None:
        page = PAGE.replace("seed: 7}", "seed: 7, trained: true}")
        few = page.replace("  relighting:", "  finetuning: {images: 64}\n  relighting:")
        plans = [read_sweep(write(tmp_path, text)) for text in (page, few)]
        (frozen, trained), (frozen_few, trained_few) = (plan.runs() for plan in plans)
        assert frozen.folder == frozen_few.folder
        assert trained.folder != trained_few.folder
        assert plans[1].reference_of(trained_few, [frozen_few, trained_few]) == frozen_few


def test_fewer_demonstrations_are_part_of_more_and_none_is_held_out(place: Path) -> None:
    def read(held_out: int):
        folders, still = [place / "episodes"], Stillness(0.004, 0.03)
        return read_demonstrations(folders, "reach-block", Reading(), Preprocessing(), 5.0, still, held_out)

    found = read(1)
    assert set(found.first(2)) < set(found.first(3)) == set(found.first(None))
    assert set(found.to_train) | set(found.held_out) == {0, 1, 2, 3}
    assert read(1).to_train == found.to_train
    with pytest.raises(
        TrainerError, match="4 demonstrations are asked for; 3 are there beside the 1 held out"
    ):
        found.first(4)
    with pytest.raises(TrainerError, match="leave nothing on one side"):
        read(4)
    part = of_episodes(found.dataset, found.first(2))
    assert (part.episodes, len(part.golden_frames)) == (2, 2)
    frame, _ = part.golden_frames[0]
    whole = found.dataset.episode == sorted(found.first(2))[0]
    assert torch.equal(part.images[frame], found.dataset.images[whole][frame])
    assert part.sha256 != found.dataset.sha256


def test_a_copy_of_an_episode_in_another_set_counts_once(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_episode(place / "more", 1, seed=2)
    write_episode(place / "more", 2, seed=9)
    still = Stillness(0.004, 0.03)
    folders = [place / "episodes", place / "more"]
    found = read_demonstrations(folders, "reach-block", Reading(), Preprocessing(), 5.0, still, 1)
    assert found.dataset.episodes == 5
    assert "is a copy of" in capsys.readouterr().out


def test_the_interval_is_wilsons() -> None:
    for successes, trials in ((16, 16), (0, 8), (13, 16), (30, 48)):
        expected = scipy.stats.binomtest(successes, trials).proportion_ci(method="wilson")
        found = wilson_interval(successes, trials)
        assert found == pytest.approx((expected.low, expected.high), abs=1e-4)
    assert wilson_interval(0, 0) == (0, 1)


def test_pairs_are_judged_by_those_that_differ_alone() -> None:
    first = [True] * 9 + [False] * 2 + [True] * 5
    second = [False] * 9 + [True] * 2 + [True] * 5
    expected = scipy.stats.binomtest(2, 11).pvalue
    assert mcnemar_p(first, second) == pytest.approx(expected)
    assert mcnemar_p(second, first) == pytest.approx(expected)
    assert mcnemar_p([True, False], [True, False]) == 1
    assert math.isclose(mcnemar_p([True], [False]), 1)
