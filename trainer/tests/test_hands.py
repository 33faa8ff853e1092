"""Episodes of a hand, and of an arm with a hand: sixteen and twenty-three joints, springs among them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from recording import (
    CAMERA,
    HAND_JOINTS,
    JOINTS,
    OVERHEAD,
    SENT_OFF_RAD,
    START_NS,
    STEP_NS,
    STEP_TOPIC,
    TICK_NS,
    Plan,
    servo_tick,
    write_episode,
)

from cerebellum_trainer.bundle import PolicyDescription
from cerebellum_trainer.clone import CloneConfig
from cerebellum_trainer.commands.clone import Clone, run_clone
from cerebellum_trainer.controller import ControllerConfig, Scales
from cerebellum_trainer.dataset import Dataset, read_dataset
from cerebellum_trainer.devices import ALLEGRO, XARM7, Body, identify
from cerebellum_trainer.encoders.files import save_encoder
from cerebellum_trainer.episodes import Episode, select_episodes
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.features import training_tokens
from cerebellum_trainer.frozen import open_encoder
from cerebellum_trainer.images import Crop, Preprocessing
from cerebellum_trainer.relight import Relighting
from cerebellum_trainer.samples import Reading, Sample, Stillness, read_samples
from cerebellum_trainer.vit import VisionTransformer

RATE_HZ = 5.0
STILL = Stillness(0.004, 0.03)
HAND_TOPIC = "/hand/servo_tick"
HAND = {"hand": HAND_JOINTS}
BOTH = {"arm": JOINTS, "hand": HAND_JOINTS}
SHIPPED = Path(__file__).parents[2] / "policies" / "bundles" / "reach-block"


def episode_of(folder: Path) -> Episode:
    return select_episodes(folder, "reach-block", include_flagged=True).episodes[0]


def dataset_of(folder: Path, reading: Reading) -> Dataset:
    return read_dataset([folder], "reach-block", reading, Preprocessing(), RATE_HZ, STILL)


class TestWhoItIs:
    def test_the_device_with_the_most_joints_that_are_there(self) -> None:
        # An arm's joint1 to joint7 are among the names of a hand's joints.
        assert identify("hand", HAND_JOINTS).device is ALLEGRO
        arm = identify("arm", ("drive", *JOINTS[::-1]))
        assert (arm.device, arm.order) == (XARM7, tuple(range(7, 0, -1)))
        assert identify("other", ("elbow",)) is None

    def test_joints_of_several_devices_carry_their_names(self) -> None:
        both = Body((XARM7, ALLEGRO))
        assert both.name == "xarm7-allegro"
        assert both.joints[:1] + both.joints[6:8] == ("xarm7/joint1", "xarm7/joint7", "allegro/joint0")
        assert len(set(both.joints)) == 23
        assert Body((ALLEGRO,)).joints == HAND_JOINTS
        with pytest.raises(TrainerError, match="both allegro"):
            Body((ALLEGRO, ALLEGRO))
        both.check_is_known()
        with pytest.raises(TrainerError, match="No policy moves allegro-xarm7"):
            Body((ALLEGRO, XARM7)).check_is_known()

    def test_a_robot_that_is_not_there_is_named_with_those_that_are(self, tmp_path: Path) -> None:
        write_episode(tmp_path, robots=HAND, camera=OVERHEAD)
        with pytest.raises(TrainerError, match=r"has no robot arm \(it has hand\)"):
            dataset_of(tmp_path, Reading(camera="overhead", robots=("arm",)))

    def test_sets_of_several_kinds_of_robot_are_refused(self, tmp_path: Path) -> None:
        write_episode(tmp_path, 1, seed=1)
        write_episode(tmp_path, 2, seed=2, robots={"arm": HAND_JOINTS})
        with pytest.raises(TrainerError, match="episode-000002 moves allegro, episode-000001 xarm7"):
            dataset_of(tmp_path, Reading())


class TestSeveralRobots:
    @pytest.mark.parametrize("robots", [("arm", "hand"), ("hand", "arm")])
    def test_joints_follow_one_another_in_the_order_that_is_named(
        self, tmp_path: Path, robots: tuple[str, str]
    ) -> None:
        write_episode(tmp_path, robots=BOTH)
        data = dataset_of(tmp_path, Reading("sent", robots=robots))
        plan = Plan(1, 14, 4, 23)
        order = [*range(7), *range(7, 23)] if robots[0] == "arm" else [*range(7, 23), *range(7)]
        np.testing.assert_allclose(data.state, plan.position[:14, order], atol=1e-6)
        expected = plan.position[1:15] + SENT_OFF_RAD - plan.position[:14]
        np.testing.assert_allclose(data.action, expected[:, order], atol=1e-6)
        assert data.body.name == ("xarm7-allegro" if robots[0] == "arm" else "allegro-xarm7")
        assert data.has_gripper

    def test_labels_are_vectors_of_all_joints(self, tmp_path: Path) -> None:
        write_episode(tmp_path, robots=BOTH)
        data = dataset_of(tmp_path, Reading(robots=("arm", "hand")))
        np.testing.assert_allclose(data.action, Plan(1, 14, 4, 23).label, atol=1e-6)

    def test_one_robot_of_two_is_read_alone(self, tmp_path: Path) -> None:
        write_episode(tmp_path, robots=BOTH)
        data = dataset_of(tmp_path, Reading("sent", robots=("hand",)))
        np.testing.assert_allclose(data.state, Plan(1, 14, 4, 23).position[:14, 7:], atol=1e-6)
        assert not data.has_gripper

    def test_a_robot_that_is_stopped_teaches_the_other_nothing(self, tmp_path: Path) -> None:
        def change(topic: str, stamp_ns: int, data: bytes) -> bytes:
            stopped = topic == HAND_TOPIC and 8.2 < (stamp_ns - START_NS) / STEP_NS < 8.4
            return data.replace(b"following\0", b"stopping\0\0") if stopped else data

        write_episode(tmp_path, robots=BOTH, change=change)
        reading = Reading("sent", robots=("arm", "hand"))
        samples = read_samples(episode_of(tmp_path), reading, RATE_HZ, STILL)
        left = {(s.image_stamp_ns - START_NS) // STEP_NS for s in samples}
        assert left == set(range(14)) - {8}

    def test_ticks_at_other_times_and_rates_are_read_each_at_its_own(self, tmp_path: Path) -> None:
        plan = Plan(1, 14, 4, 23)

        def change(topic: str, stamp_ns: int, data: bytes) -> bytes | None:
            """The hand reports a third as often."""
            is_left_out = topic == HAND_TOPIC and (stamp_ns - START_NS) // TICK_NS % 3 != 0
            return None if is_left_out else data

        write_episode(tmp_path, robots=BOTH, change=change)
        data = dataset_of(tmp_path, Reading("path", robots=("arm", "hand"), step_rad=10, finger_step_rad=10))
        np.testing.assert_allclose(data.state[:, :7], plan.position[:14, :7], atol=1e-6)
        # Between two reports of the hand there is a bend in what it did.
        np.testing.assert_allclose(data.state[:, 7:], plan.position[:14, 7:], atol=0.02)


class TestFingersThatPress:
    """Joint 1 closes at one step of 0.1 rad; from step 5 on an object holds it, while it is told to go on to
    0.8 rad and stay there.
    """

    CONTACT, GOAL = 0.5, 0.8

    def samples(self, folder: Path, **reading: float) -> list[Sample]:
        def told(at: float) -> float:
            return min(self.GOAL, 0.1 * at)

        def angle(value: float) -> np.ndarray:
            return value * np.eye(16)[1]

        def change(topic: str, stamp_ns: int, data: bytes) -> bytes | None:
            if topic != HAND_TOPIC:
                return None if topic == STEP_TOPIC else data
            state_ns = stamp_ns - TICK_NS
            at, was = ((of - START_NS) / STEP_NS for of in (stamp_ns, state_ns))
            return servo_tick(
                stamp_ns, state_ns, angle(told(at)), angle(min(self.CONTACT, told(was))), opening_m=np.nan
            )

        write_episode(folder, robots=HAND, camera=OVERHEAD, change=change)
        chosen = Reading("path", camera="overhead", path_s=1, finger_step_rad=0.2, **reading)
        return read_samples(episode_of(folder), chosen, RATE_HZ, STILL)

    def test_it_is_led_on_from_what_it_was_told_and_not_from_where_it_stands(self, tmp_path: Path) -> None:
        samples = self.samples(tmp_path)
        # Step 7: it was told 0.7 and stands at 0.5. Ahead are 0.1 rad, and all of the press.
        np.testing.assert_allclose(samples[7].action_rad[1], self.GOAL - self.CONTACT, atol=1e-9)
        np.testing.assert_allclose(samples[6].action_rad[1], 0.8 - self.CONTACT, atol=0.011)
        # In free motion an action is a step.
        np.testing.assert_allclose(samples[2].action_rad[1], 0.2, atol=0.011)

    def test_a_steady_press_is_a_hold_that_is_learnt(self, tmp_path: Path) -> None:
        samples = self.samples(tmp_path)
        assert [sample.hold for sample in samples] == [False] * 8 + [True] * 6
        for sample in samples[8:]:
            np.testing.assert_allclose(sample.action_rad[1], self.GOAL - self.CONTACT, atol=1e-9)

    def test_an_arms_lag_counts_as_a_way_to_go_as_before(self, tmp_path: Path) -> None:
        """Its joints are stiff: a step is one from where it stands."""

        def change(topic: str, stamp_ns: int, data: bytes) -> bytes | None:
            if topic != "/arm/servo_tick":
                return data
            state_ns = stamp_ns - TICK_NS
            at, was = ((of - START_NS) / STEP_NS for of in (stamp_ns, state_ns))
            joint = np.eye(7)[1]
            return servo_tick(stamp_ns, state_ns, (0.1 * at + 0.05) * joint, 0.1 * was * joint)

        write_episode(tmp_path, change=change)
        samples = read_samples(episode_of(tmp_path), Reading("path", step_rad=0.1), RATE_HZ, STILL)
        np.testing.assert_allclose(samples[3].action_rad[1], 0.1, atol=0.011)

    def test_the_start_is_what_the_hand_was_told(self, tmp_path: Path) -> None:
        write_episode(tmp_path, robots=HAND, camera=OVERHEAD)
        data = dataset_of(tmp_path, Reading("sent", camera="overhead"))
        plan = Plan(1, 14, 4, 16)
        np.testing.assert_allclose(data.start_rad, plan.position[0] + SENT_OFF_RAD, atol=1e-9)

    def test_a_trembling_hand_stands_still(self, tmp_path: Path) -> None:
        write_episode(tmp_path, robots=HAND, camera=OVERHEAD)
        # The plan moves by 0.03 rad a step: more than a hundredth, less than a tenth.
        for finger_rad, still in ((0.01, 0), (0.2, 10)):
            stillness = Stillness(0.004, finger_rad)
            reading = Reading("sent", camera="overhead")
            samples = read_samples(episode_of(tmp_path), reading, RATE_HZ, stillness)
            assert sum(sample.still for sample in samples[:10]) == still


class TestCamera:
    def test_what_belongs_to_the_encoder_comes_from_its_bundle_and_the_rest_from_the_camera(self) -> None:
        _, _, shipped = open_encoder(SHIPPED)
        manifest = json.loads((SHIPPED / "policy.json").read_text(encoding="utf-8"))["image"]
        seen = shipped.seen_by(848, 480)
        assert seen.size_px == manifest["resize"]["widthPx"]
        assert (list(seen.mean), list(seen.std)) == (manifest["mean"], manifest["std"])
        assert seen.kernel == manifest["resize"]["kernel"]
        assert seen.crop == Crop(200, 32, 448, 448)
        assert shipped.seen_by(640, 480).crop == Crop(96, 32, 448, 448)
        assert shipped.seen_by(640, 480, (80, 0, 480, 480)).crop == Crop(80, 0, 480, 480)
        with pytest.raises(TrainerError, match="does not lie inside 640x480"):
            shipped.seen_by(640, 480, (200, 0, 480, 480))

    def test_features_of_two_cameras_are_kept_apart(
        self, tmp_path: Path, small_encoder: VisionTransformer
    ) -> None:
        images = torch.randn(2, 3, 112, 112)
        for camera in ("wrist", "overhead", "wrist"):
            training_tokens(
                small_encoder, images, "a", Preprocessing(), camera, Relighting(copies=0), 0, tmp_path
            )
        assert len(list(tmp_path.iterdir())) == 2

    def test_a_crop_of_its_own_is_what_the_encoder_sees(self, tmp_path: Path) -> None:
        write_episode(tmp_path, robots=HAND, camera=OVERHEAD)
        whole, part = (
            dataset_of(tmp_path, Reading("sent", camera="overhead", crop=crop))
            for crop in (None, (320, 240, 240, 240))
        )
        assert part.preprocessing.crop == Crop(320, 240, 240, 240)
        assert not torch.equal(whole.images, part.images)


def test_each_joint_has_a_scale_of_its_own_where_there_are_fingers() -> None:
    action = torch.randn(500, 2) * torch.tensor([0.01, 0.3])
    state = feature = torch.randn(500, 2)
    both, arm = ControllerConfig().fit(Body((XARM7, ALLEGRO))), ControllerConfig().fit(Body((XARM7,)))
    each = Scales.of(feature, state, action, both).action
    # The first moves less than the floor.
    torch.testing.assert_close(each, torch.tensor([0.02, action[:, 1].std()]))
    torch.testing.assert_close(Scales.of(feature, state, action, arm).action, action.std())
    assert ControllerConfig(action_scale="shared").fit(Body((ALLEGRO,))).action_scale == "shared"


@pytest.mark.parametrize(
    ("robots", "camera", "role", "check"),
    [
        (HAND, OVERHEAD, "overhead", lambda m: m["robot"]["device"] == "allegro"),
        (BOTH, CAMERA, "wrist", lambda m: m["robot"]["device"] == "xarm7-allegro"),
    ],
    ids=["hand", "arm and hand"],
)
def test_a_bundle_says_what_it_moves(
    tmp_path: Path,
    small_encoder: VisionTransformer,
    robots: dict[str, tuple[str, ...]],
    camera: dict,
    role: str,
    check: Callable[[dict], bool],
) -> None:
    for seed in range(6):
        write_episode(tmp_path / "set", 1 + seed, seed=seed, robots=robots, camera=camera, has_gripper=False)
    save_encoder(small_encoder, tmp_path / "encoder.safetensors", "mae")
    bundle = run_clone(
        Clone(
            (tmp_path / "set",),
            encoder=tmp_path / "encoder.safetensors",
            out=tmp_path / "bundle",
            features=tmp_path / "work" / "features",
            recipe=CloneConfig(epochs=2, batch=16),
            reading=Reading("sent", camera=role, robots=tuple(robots)),
            policy=PolicyDescription(rate_hz=10),
        )
    )
    manifest = json.loads((bundle / "policy.json").read_text(encoding="utf-8"))
    assert check(manifest)
    joints = manifest["robot"]["joints"]
    assert len(joints) == sum(map(len, robots.values())) == len(set(joints))
    assert [entry["name"] for entry in manifest["proprioception"]] == joints
    assert manifest["image"]["role"] == role
    assert manifest["image"]["mount"]["parentFrame"] == camera["mount"].get("parentFrame", "flange")
    assert "gripperOpeningM" not in manifest["start"]
    assert manifest["action"]["clipRad"] == [0.15] * (len(joints) - 16) + [0.8] * 16
    assert manifest["expiryMs"] == 250
    goldens = json.loads((bundle / "goldens.json").read_text(encoding="utf-8"))["cases"]
    assert {len(case["action"]) for case in goldens} == {len(joints)}
