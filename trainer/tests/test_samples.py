import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from recording import (
    CAMERA,
    IMAGE_TOPIC,
    INPUT_TOPIC,
    JOINTS,
    SENT_OFF_RAD,
    START_NS,
    STEP_NS,
    STEP_TOPIC,
    TICK_NS,
    TICK_TOPIC,
    Plan,
    compressed_image,
    edit,
    picture,
    policy_step,
    servo_tick,
    write_edits,
    write_episode,
)

from cerebellum_trainer.dataset import load_dataset, read_dataset
from cerebellum_trainer.episodes import Episode, select_episodes
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.images import Preprocessing, StoredImage, preprocess
from cerebellum_trainer.samples import Actions, Reading, Sample, Stillness, on_grid, on_grids, read_samples

RATE_HZ = 5.0
STILL = Stillness(0.004, 0.03)
PREPROCESSING = Preprocessing()


def episode_of(folder: Path) -> Episode:
    return select_episodes(folder, "reach-block", include_flagged=True).episodes[0]


def samples_of(folder: Path, actions: Actions = "label") -> list[Sample]:
    return read_samples(episode_of(folder), Reading(actions), RATE_HZ, STILL)


def refused(folder: Path, actions: Actions = "label") -> TrainerError:
    with pytest.raises(TrainerError) as caught:
        samples_of(folder, actions)
    assert "episode-000001" in str(caught.value)
    return caught.value


def without(topic: str, *steps: int):
    """Takes the messages of a topic that belong to these steps away."""

    def change(of: str, stamp_ns: int, data: bytes) -> bytes | None:
        return None if of == topic and round((stamp_ns - START_NS) / STEP_NS) in steps else data

    return change


class TestLabels:
    def test_samples_carry_their_own_image_and_the_teachers_clean_answer(self, tmp_path: Path) -> None:
        write_episode(tmp_path, seed=1)
        plan, samples = Plan(1, 14, 4), samples_of(tmp_path)
        assert [sample.hold for sample in samples] == plan.hold.tolist()
        assert samples[2].image_stamp_ns == START_NS + 2 * STEP_NS
        np.testing.assert_array_equal([sample.action_rad for sample in samples], plan.label)
        np.testing.assert_array_equal([sample.position_rad for sample in samples], plan.position[:14])
        for place in (0, 13):
            np.testing.assert_array_equal(
                samples[place].image.pixels(PREPROCESSING),
                StoredImage(picture(*plan.block[place], 91)).pixels(PREPROCESSING),
            )

    def test_joints_in_another_order_come_out_base_to_tool(self, tmp_path: Path) -> None:
        write_episode(tmp_path, joint_names=JOINTS[::-1])
        for actions in ("label", "sent"):
            positions = [sample.position_rad for sample in samples_of(tmp_path, actions)]
            np.testing.assert_allclose(positions, Plan(1, 14, 4).position[:14], atol=1e-9)

    def test_steps_that_were_refused_or_of_no_camera_of_the_episode_or_trimmed_away_teach_nothing(
        self, tmp_path: Path
    ) -> None:
        nothing = np.zeros(7)

        def change(topic: str, stamp_ns: int, data: bytes) -> bytes:
            step = round((stamp_ns - START_NS) / STEP_NS)
            if topic == STEP_TOPIC and step in (3, 4):
                other = {"refusal": "expired"} if step == 3 else {"camera": "other"}
                return policy_step(stamp_ns, stamp_ns - 66_000_000, nothing, nothing, "reach", **other)
            return data

        write_episode(tmp_path, change=change)
        assert len(samples_of(tmp_path)) == 12
        write_edits(tmp_path, edit(1, 1, "trim", fromNs=str(START_NS + STEP_NS), toNs=None))
        assert [(s.image_stamp_ns - START_NS) // STEP_NS for s in samples_of(tmp_path)][:3] == [1, 2, 5]

    def test_an_image_that_only_the_policys_own_copy_has_is_found_there(self, tmp_path: Path) -> None:
        def change(topic: str, stamp_ns: int, data: bytes) -> bytes | None:
            return None if (topic, stamp_ns) == (IMAGE_TOPIC, START_NS + STEP_NS) else data

        path = write_episode(tmp_path / "a", change=change)
        error = refused(path.parents[1])
        assert (error.code, "lacks the image of" in error.happened) == ("EPISODE_INCOMPLETE", True)
        moved = json.dumps({"wrist": {**CAMERA, "imageTopic": INPUT_TOPIC}})
        write_episode(tmp_path / "b", start={"cameras": moved})
        assert refused(tmp_path / "b").code == "EPISODE_INCOMPLETE"
        cameras = json.dumps({"wrist": {**CAMERA, "imageTopic": "/nowhere"}})
        image = compressed_image(START_NS, picture(0.5, 0.5, 100))
        # Only step 0 is left, and its image is in the policy's copy alone.
        write_episode(
            tmp_path / "c",
            steps=1,
            holds=0,
            start={"cameras": cameras},
            rename={IMAGE_TOPIC: INPUT_TOPIC},
            change=lambda topic, _stamp_ns, data: image if topic == INPUT_TOPIC else data,
        )
        assert len(samples_of(tmp_path / "c")) == 1

    def test_an_episode_without_a_teacher_points_to_what_was_sent(self, tmp_path: Path) -> None:
        write_episode(tmp_path, change=without(STEP_TOPIC, *range(15)))
        error = refused(tmp_path)
        assert (error.code, error.remedy) == (
            "EPISODE_INCOMPLETE",
            "Train on what was sent: --actions sent",
        )
        assert len(samples_of(tmp_path, "sent")) == 14

    @pytest.mark.parametrize(
        ("changes", "code", "words"),
        [
            ({"position_offset_rad": 0.3}, "EPISODE_INCONSISTENT", "0.300 rad off"),
            ({"position_offset_rad": np.nan}, "EPISODE_INCOMPLETE", "7 finite numbers"),
            (
                {"change": without(TICK_TOPIC, 4, 5)},
                "EPISODE_INCOMPLETE",
                "no measured position within 100 ms",
            ),
            ({"change": without(TICK_TOPIC, *range(-1, 20))}, "EPISODE_INCOMPLETE", "no message on"),
            ({"joint_names": JOINTS[:6]}, "EPISODE_INCOMPLETE", "has joints"),
            ({"start": {"cameras": "{}"}}, "CAMERA_MISSING", "it has none"),
        ],
    )
    def test_bad_data_is_refused_by_name(self, tmp_path: Path, changes: dict, code: str, words: str) -> None:
        write_episode(tmp_path, **changes)
        error = refused(tmp_path)
        assert error.code == code
        assert words in error.happened


class TestSent:
    def test_the_action_leads_to_where_the_robot_was_sent_one_period_later(self, tmp_path: Path) -> None:
        write_episode(tmp_path, seed=3)
        plan, samples = Plan(3, 14, 4), samples_of(tmp_path, "sent")
        assert len(samples) == 14
        expected = plan.position[1:15] + SENT_OFF_RAD - plan.position[:14]
        np.testing.assert_allclose([sample.action_rad for sample in samples], expected, atol=1e-9)
        np.testing.assert_allclose([s.position_rad for s in samples], plan.position[:14], atol=1e-9)

    def test_it_needs_no_policy_step_and_follows_the_rate(self, tmp_path: Path) -> None:
        write_episode(tmp_path, change=without(STEP_TOPIC, *range(15)))
        episode, reading = episode_of(tmp_path), Reading("sent")
        slow = read_samples(episode, reading, 2.5, STILL)
        assert [(sample.image_stamp_ns - START_NS) // STEP_NS for sample in slow] == [0, 2, 4, 6, 8, 10, 12]
        plan = Plan(1, 14, 4)
        expected = plan.position[2:15:2] + SENT_OFF_RAD - plan.position[0:13:2]
        np.testing.assert_allclose([sample.action_rad for sample in slow], expected, atol=1e-9)

    def test_a_lead_looks_further_ahead(self, tmp_path: Path) -> None:
        write_episode(tmp_path)
        far = read_samples(episode_of(tmp_path), Reading("sent", lead_ms=200), RATE_HZ, STILL)
        plan = Plan(1, 14, 4)
        expected = plan.position[2:15] + SENT_OFF_RAD - plan.position[:13]
        np.testing.assert_allclose([sample.action_rad for sample in far[:13]], expected, atol=1e-9)

    def test_the_still_end_is_a_hold_and_a_pause_on_the_way_is_not(self, tmp_path: Path) -> None:
        plan = Plan(1, 14, 4)
        plan.position[5:7] = plan.position[4]

        def change(topic: str, stamp_ns: int, data: bytes) -> bytes:
            if topic != TICK_TOPIC:
                return data
            state_ns = stamp_ns - TICK_NS
            return servo_tick(stamp_ns, state_ns, plan.position_at(stamp_ns), plan.position_at(state_ns))

        write_episode(tmp_path, change=change)
        samples = samples_of(tmp_path, "sent")
        assert np.abs(samples[4].action_rad).max() < STILL.arm_rad
        assert [sample.hold for sample in samples] == [False] * 10 + [True] * 4

    def test_periods_with_missing_ticks_or_a_stop_are_left_out(self, tmp_path: Path) -> None:
        def change(topic: str, stamp_ns: int, data: bytes) -> bytes | None:
            step = (stamp_ns - START_NS) / STEP_NS
            if topic == TICK_TOPIC and 3.05 < step < 3.95:
                return None
            if topic == TICK_TOPIC and 8.2 < step < 8.4:
                return data.replace(b"following\0", b"stopping\0\0")
            return data

        write_episode(tmp_path, change=change)
        left = [round((s.image_stamp_ns - START_NS) / STEP_NS) for s in samples_of(tmp_path, "sent")]
        assert 8 not in left
        assert {0, 1, 5, 6, 7, 9, 10} <= set(left)

    def test_a_trim_ends_what_was_sent_as_well(self, tmp_path: Path) -> None:
        write_episode(tmp_path)
        to_ns = START_NS + 5 * STEP_NS
        write_edits(tmp_path, edit(1, 1, "trim", fromNs=None, toNs=str(to_ns)))
        left = [(s.image_stamp_ns - START_NS) // STEP_NS for s in samples_of(tmp_path, "sent")]
        assert left == [0, 1, 2, 3, 4]

    def test_several_grids_within_a_period_read_the_same_motion_at_other_times(self, tmp_path: Path) -> None:
        write_episode(tmp_path)
        episode = episode_of(tmp_path)
        # Images come every 200 ms: two grids of 400 ms are all of them.
        both = read_samples(episode, Reading("sent", phases=2), 2.5, STILL)
        assert [(s.image_stamp_ns - START_NS) // STEP_NS for s in both] == list(range(14))
        plan = Plan(1, 14, 4)
        expected = plan.position[2:16] + SENT_OFF_RAD - plan.position[0:14]
        np.testing.assert_allclose([sample.action_rad for sample in both], expected, atol=1e-9)

    def test_the_gripper_that_was_asked_for_stands_beside_the_action(self, tmp_path: Path) -> None:
        def change(topic: str, stamp_ns: int, data: bytes) -> bytes:
            if topic != TICK_TOPIC:
                return data
            state_ns, at = stamp_ns - TICK_NS, Plan(1, 14, 4).position_at
            opening_m = 0.08 if stamp_ns < START_NS + 5 * STEP_NS else 0.0
            return servo_tick(stamp_ns, state_ns, at(stamp_ns), at(state_ns), gripper_m=opening_m)

        write_episode(tmp_path, change=change)
        samples = samples_of(tmp_path, "sent")
        # One period ahead, as the action is.
        assert [sample.gripper_m for sample in samples] == [0.08] * 4 + [0.0] * 10
        assert all(math.isnan(sample.gripper_m) for sample in samples_of(tmp_path, "label"))

    def test_an_episode_with_nothing_to_learn_is_refused(self, tmp_path: Path) -> None:
        write_episode(tmp_path, change=without(IMAGE_TOPIC, *range(15)))
        error = refused(tmp_path, "sent")
        assert (error.code, "no image" in error.happened) == ("EPISODE_INCOMPLETE", True)


class TestTeleoperation:
    """Samples by the steps of their images; a sample looks one step ahead."""

    def steps(self, folder: Path, hand: Callable[[float], str], lead_ms: float = 0) -> list[int]:
        write_episode(folder, hand=hand, change=without(STEP_TOPIC, *range(15)))
        samples = read_samples(episode_of(folder), Reading("sent", lead_ms=lead_ms), RATE_HZ, STILL)
        return [(sample.image_stamp_ns - START_NS) // STEP_NS for sample in samples]

    def test_what_was_before_the_first_engage_is_left_out(self, tmp_path: Path) -> None:
        assert self.steps(tmp_path, lambda at: "engaged" if at >= 3 else "ready") == list(range(3, 14))

    def test_the_clutch_that_is_open_for_a_moment_is_no_pause(self, tmp_path: Path) -> None:
        def hand(at: float) -> str:
            return "ready" if 4.05 < at < 5.45 else "engaged"

        assert self.steps(tmp_path, hand) == list(range(14))

    def test_while_the_hand_is_put_back_nothing_is_learnt(self, tmp_path: Path) -> None:
        def hand(at: float) -> str:
            if 4.05 < at < 6.95:
                return "ready" if at < 6.5 else "engaging"
            return "engaged"

        assert self.steps(tmp_path / "a", hand) == [0, 1, 2, 3, *range(7, 14)]
        # With a lead of one step the action would reach into the pause one step earlier.
        assert self.steps(tmp_path / "b", hand, lead_ms=200)[:4] == [0, 1, 2, 7]

    def test_a_latch_is_a_pause_like_another(self, tmp_path: Path) -> None:
        def hand(at: float) -> str:
            return "latched" if 4.05 < at < 6.95 else "engaged"

        assert self.steps(tmp_path, hand) == [0, 1, 2, 3, *range(7, 14)]

    def test_after_the_last_release_the_arm_stands_at_its_goal(self, tmp_path: Path) -> None:
        write_episode(tmp_path, hand=lambda at: "engaged" if at < 11 else "ready")
        assert len(samples_of(tmp_path, "sent")) == 14

    def test_who_never_engages_has_moved_nothing(self, tmp_path: Path) -> None:
        assert self.steps(tmp_path, lambda _at: "ready") == list(range(14))

    def test_labels_do_not_care(self, tmp_path: Path) -> None:
        write_episode(tmp_path, hand=lambda at: "engaged" if at >= 3 else "ready")
        assert len(samples_of(tmp_path)) == 14


class TestPath:
    """A joint that moves at a rate of its own: what is learnt is where it went, not how fast."""

    STEP_RAD = 0.1

    def read(
        self, folder: Path, at: Callable[[float], float], hand: Callable[[float], str] | None = None
    ) -> dict[int, float]:
        """Actions of joint 1 by the steps of their images; `at` gives its angle at a time [steps]."""

        def angles(stamp_ns: int) -> np.ndarray:
            return np.full(7, at((stamp_ns - START_NS) / STEP_NS)) * np.eye(7)[0]

        def change(topic: str, stamp_ns: int, data: bytes) -> bytes | None:
            if topic == STEP_TOPIC:
                return None
            state_ns = stamp_ns - TICK_NS
            is_tick = topic == TICK_TOPIC
            return servo_tick(stamp_ns, state_ns, angles(stamp_ns), angles(state_ns)) if is_tick else data

        write_episode(folder, change=change, hand=hand)
        reading = Reading("path", step_rad=self.STEP_RAD, path_s=1)
        samples = read_samples(episode_of(folder), reading, RATE_HZ, STILL)
        return {(s.image_stamp_ns - START_NS) // STEP_NS: float(s.action_rad[0]) for s in samples}

    def test_a_slow_hand_and_a_fast_one_teach_the_same_step(self, tmp_path: Path) -> None:
        for name, rate in (("slow", 0.04), ("fast", 0.2)):
            actions = self.read(tmp_path / name, lambda at, rate=rate: rate * at)
            # The first tick that is a step away overshoots it by at most one tick's motion.
            assert all(0.1 <= actions[step] <= 0.1 + rate / 10 + 1e-9 for step in range(9)), actions

    def test_near_the_goal_it_is_what_is_left_of_the_way(self, tmp_path: Path) -> None:
        actions = self.read(tmp_path, lambda at: min(0.5, 0.1 * at))
        assert abs(actions[4] - 0.1) < 0.011
        assert abs(actions[5]) < 1e-9

    def test_a_pause_of_the_clutch_is_not_on_the_path(self, tmp_path: Path) -> None:
        def at(step: float) -> float:
            return 0.04 * (min(step, 4) + max(0, step - 8))

        def hand(step: float) -> str:
            return "ready" if 4 <= step < 8 else "engaged"

        actions = self.read(tmp_path, at, hand)
        assert set(actions) == {0, 1, 2, 3, *range(8, 14)}
        assert 0.1 <= actions[3] < 0.105

    def test_whoever_stands_for_longer_than_a_second_means_it(self, tmp_path: Path) -> None:
        actions = self.read(tmp_path, lambda at: 0.05 * (min(at, 3) + max(0, at - 9)))
        assert abs(actions[3]) < 1e-9
        assert actions[8] >= 0.1

    def test_a_stop_ends_the_way(self, tmp_path: Path) -> None:
        def change(topic: str, stamp_ns: int, data: bytes) -> bytes:
            step = (stamp_ns - START_NS) / STEP_NS
            stopped = topic == TICK_TOPIC and 8.2 < step < 8.4
            return data.replace(b"following\0", b"stopping\0\0") if stopped else data

        write_episode(tmp_path, change=change)
        samples = read_samples(episode_of(tmp_path), Reading("path", step_rad=10, path_s=1), RATE_HZ, STILL)
        plan = Plan(1, 14, 4)
        by_step = {(s.image_stamp_ns - START_NS) // STEP_NS: s for s in samples}
        last = plan.position_at(START_NS + 8 * STEP_NS + 2 * TICK_NS) + SENT_OFF_RAD
        np.testing.assert_allclose(by_step[6].action_rad, last - plan.position[6], atol=1e-9)


def test_the_grid_takes_the_nearest_image_of_each_period_and_none_over_a_gap() -> None:
    ms = 1_000_000
    at_30_hz = [round(index * 1e9 / 30) for index in range(31)]
    assert [round(stamp / ms) for stamp in on_grid(at_30_hz, 200 * ms)] == [0, 200, 400, 600, 800, 1000]
    late = [0, 210 * ms, 390 * ms, 1000 * ms]
    assert on_grid(late, 200 * ms) == late
    assert on_grid([], 200 * ms) == []
    shifted = on_grids(at_30_hz, 200 * ms, 3)
    assert [round(stamp / ms) for stamp in shifted][:7] == [0, 67, 133, 200, 267, 333, 400]
    assert len(set(shifted)) == len(shifted)


class TestDataset:
    def test_images_stand_beside_their_actions(self, tmp_path: Path) -> None:
        for number in (1, 2):
            write_episode(tmp_path, number, seed=number)
        data = read_dataset([tmp_path], "reach-block", Reading(), PREPROCESSING, RATE_HZ, STILL)
        assert data.images.shape == (28, 3, 112, 112)
        assert data.episodes == 2
        assert int(data.hold.sum()) == 8
        plan = Plan(2, 14, 4)
        np.testing.assert_allclose(data.action[19], plan.label[5], atol=1e-7)
        image = StoredImage(picture(*plan.block[5], 92)).pixels(PREPROCESSING)
        np.testing.assert_allclose(data.images[19], preprocess(image, PREPROCESSING))

    def test_its_hash_names_the_samples_and_not_only_the_files(self, tmp_path: Path) -> None:
        write_episode(tmp_path)

        def sha(reading: Reading) -> str:
            return read_dataset([tmp_path], "reach-block", reading, PREPROCESSING, RATE_HZ, STILL).sha256

        first = sha(Reading())
        assert sha(Reading()) == first
        assert sha(Reading("sent")) != first
        write_edits(tmp_path, edit(1, 1, "trim", fromNs=str(START_NS + STEP_NS), toNs=None))
        assert sha(Reading()) != first

    def test_what_is_left_out_is_said(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        write_episode(tmp_path, 1, end={"outcome": "failure"})
        with pytest.raises(TrainerError, match="No episode is left"):
            read_dataset([tmp_path], "reach-block", Reading(), PREPROCESSING, RATE_HZ, STILL)
        assert "left out: episode-000001 is a failure" in capsys.readouterr().out

    def test_mixed_camera_mounts_are_refused(self, tmp_path: Path) -> None:
        write_episode(tmp_path, 1, seed=1)
        other = json.dumps({"wrist": {**CAMERA, "fovYDeg": 69}})
        write_episode(tmp_path, 2, seed=2, start={"cameras": other})
        with pytest.raises(TrainerError) as caught:
            read_dataset([tmp_path], "reach-block", Reading(), PREPROCESSING, RATE_HZ, STILL)
        assert caught.value.code == "CAMERA_CHANGED"

    def test_several_sets_have_one_camera_and_are_named_with_their_folder(self, tmp_path: Path) -> None:
        write_episode(tmp_path / "a", 1, seed=1)
        write_episode(tmp_path / "b", 1, seed=2)
        sets = [tmp_path / "a", tmp_path / "b"]
        both = read_dataset(sets, "reach-block", Reading(), PREPROCESSING, RATE_HZ, STILL)
        assert both.episodes == 2
        assert len(both.images) == 28
        other = json.dumps({"wrist": {**CAMERA, "fovYDeg": 69}})
        write_episode(tmp_path / "b", 2, seed=3, start={"cameras": other})
        with pytest.raises(TrainerError, match=f"{tmp_path}/b/episode-000002") as caught:
            read_dataset(sets, "reach-block", Reading(), PREPROCESSING, RATE_HZ, STILL)
        assert caught.value.code == "CAMERA_CHANGED"

    def test_no_episode_at_all_is_refused(self) -> None:
        with pytest.raises(TrainerError) as caught:
            load_dataset([], Reading(), PREPROCESSING)
        assert caught.value.code == "EPISODES_MISSING"
