import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from recording import CAMERA, START_NS, STEP_NS, edit, write_edits, write_episode

from cerebellum_trainer.episodes import read_records, select_episodes, select_from
from cerebellum_trainer.errors import TrainerError

FLAGS = json.dumps([{"code": "gap", "topic": "/camera/wrist", "text": "nothing for 1.2 s"}])


def names(folder: Path, **options: bool) -> list[str]:
    return [episode.name[-3:] for episode in select_episodes(folder, "reach-block", **options).episodes]


def remarks(folder: Path) -> str:
    return "\n".join(select_episodes(folder, "reach-block").remarks)


def refused(path: Path) -> TrainerError:
    with pytest.raises(TrainerError) as caught:
        select_episodes(path.parents[1], "reach-block")
    assert path.stem in str(caught.value)
    return caught.value


def test_only_successes_of_the_task_are_used_and_the_rest_is_named(tmp_path: Path) -> None:
    write_episode(tmp_path, 1, seed=1)
    write_episode(tmp_path, 2, seed=2, end={"outcome": "failure"})
    write_episode(tmp_path, 3, seed=3, end={"outcome": "unlabelled"})
    write_episode(tmp_path, 4, seed=4, start={"task": "another"})
    write_episode(tmp_path, 5, seed=5, end={"flags": FLAGS})
    (tmp_path / "episode-000006.active").mkdir()
    (tmp_path / "notes").mkdir()
    assert names(tmp_path) == ["001"]
    assert names(tmp_path, include_flagged=True) == ["001", "005"]
    assert remarks(tmp_path).split("\n") == [
        "episode-000002 is a failure",
        "episode-000003 has no label",
        "episode-000004 is of task another",
        "episode-000005 is flagged (gap /camera/wrist: nothing for 1.2 s)",
        "episode-000006.active is not finished",
    ]


def test_later_labels_and_drops_count_the_last_one_of_each(tmp_path: Path) -> None:
    write_episode(tmp_path, 1, seed=1)
    write_episode(tmp_path, 2, seed=2, end={"outcome": "failure"})
    write_episode(tmp_path, 3, seed=3)
    write_edits(
        tmp_path,
        edit(1, 1, "label", outcome="failure"),
        edit(2, 2, "label", outcome="success"),
        edit(3, 3, "drop", dropped=True),
    )
    assert names(tmp_path) == ["002"]
    write_edits(tmp_path, edit(3, 3, "drop", dropped=False), edit(1, 1, "label", outcome="success"))
    assert names(tmp_path) == ["001", "002", "003"]


def test_edits_of_another_recording_of_that_name_and_lines_that_mean_nothing_have_no_effect(
    tmp_path: Path,
) -> None:
    write_episode(tmp_path, 1, seed=1)
    torn = json.dumps(edit(1, 1, "drop", dropped=True))[:70]
    write_edits(
        tmp_path,
        edit(1, 99, "drop", dropped=True),
        edit(1, 1, "paint", colour="blue"),
        edit(1, 1, "label", outcome="perhaps"),
        edit(1, 1, "trim", fromNs="-5", toNs=None),
        {**edit(1, 1, "drop", dropped=True), "schema": "cerebellum/edit@2"},
        torn,
        edit(1, 1, "label", outcome="failure"),
        "\n[]\n",
    )
    assert names(tmp_path) == []
    assert remarks(tmp_path).split("\n") == [
        "line 2 of edits.jsonl is no edit that this program knows",
        "line 3 of edits.jsonl is no edit that this program knows",
        "line 4 of edits.jsonl is no edit that this program knows",
        "line 5 of edits.jsonl is no edit that this program knows",
        "line 6 of edits.jsonl is torn",
        "line 8 of edits.jsonl is no edit that this program knows",
        "episode-000001 is a failure",
    ]


def test_a_copy_is_not_trained_on_twice(tmp_path: Path) -> None:
    path = write_episode(tmp_path, 1, seed=1)
    shutil.copytree(path.parent, tmp_path / "episode-000007")
    write_episode(tmp_path, 8, seed=1)
    assert names(tmp_path) == ["001"]
    assert "episode-000007 holds episode-000001: a copy, or renamed" in remarks(tmp_path)
    assert "episode-000008 is a copy of episode-000001" in remarks(tmp_path)


def test_records_say_how_the_camera_was_mounted(tmp_path: Path) -> None:
    records = read_records(write_episode(tmp_path))
    camera = records.cameras["wrist"]
    assert (camera.robot, camera.pose.fov_y_deg) == ("arm", 42)
    assert camera.pose.position_m == tuple(CAMERA["mount"]["positionM"])


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"records": ("episode",)}, "EPISODE_INCOMPLETE", 'no metadata record "episode_end"'),
        ({"records": ("episode_end",)}, "EPISODE_INCOMPLETE", 'no metadata record "episode"'),
        ({"start": {"schema": "cerebellum/episode@2"}}, "EPISODE_FORM", "cerebellum/episode@2"),
        ({"start": {"cameras": "{"}}, "EPISODE_INCOMPLETE", "unusable metadata"),
        ({"start": {"robots": "[]"}}, "EPISODE_INCOMPLETE", "unusable metadata"),
        ({"end": {"flags": "[3]"}}, "EPISODE_INCOMPLETE", "unusable metadata"),
        ({"end": {"outcome": "fine"}}, "EPISODE_INCOMPLETE", 'outcome "fine"'),
        (
            {"start": {"cameras": json.dumps({"wrist": {**CAMERA, "mount": {"robot": "arm"}}})}},
            "EPISODE_INCOMPLETE",
            "positionM",
        ),
        (
            {
                "start": {
                    "cameras": json.dumps(
                        {"wrist": {**CAMERA, "mount": {**CAMERA["mount"], "quatXyzw": [0, 0, 0, 2]}}}
                    )
                }
            },
            "EPISODE_INCOMPLETE",
            "no pose",
        ),
    ],
)
def test_bad_records_are_refused_by_name(tmp_path: Path, changes: dict, code: str, words: str) -> None:
    error = refused(write_episode(tmp_path, **changes))
    assert error.code == code
    assert words in error.happened


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    path = write_episode(tmp_path, steps=2, holds=0)
    whole = path.read_bytes()
    for size in [*range(0, 200, 7), *range(200, len(whole), len(whole) // 50), len(whole) - 1]:
        path.write_bytes(whole[:size])
        assert refused(path).code in ("EPISODE_UNREADABLE", "EPISODE_INCOMPLETE")


def test_damage_anywhere_is_refused_by_name_or_changes_nothing(tmp_path: Path) -> None:
    path = write_episode(tmp_path, steps=2, holds=0)
    whole = path.read_bytes()
    generator = np.random.default_rng(5)
    refusals: list[str] = []
    reference = messages_of(path)
    for place in generator.integers(len(whole), size=150):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        try:
            found = messages_of(path)
        except TrainerError as error:
            refusals.append(str(error))
            continue
        assert found == reference
    assert len(refusals) > 20
    assert all(path.stem in refusal for refusal in refusals)


def messages_of(path: Path) -> list[tuple[str, int, str]]:
    selection = select_episodes(path.parents[1], "reach-block")
    return [
        (message.topic, message.stamp_ns, repr(message.values))
        for episode in selection.episodes
        for message in episode.messages("/cerebellum/policy_step", "/arm/servo_tick")
    ]


def test_a_folder_without_episodes_says_what_it_should_be(tmp_path: Path) -> None:
    with pytest.raises(TrainerError) as caught:
        select_episodes(tmp_path, "reach-block")
    assert caught.value.code == "EPISODES_MISSING"
    assert "one level above" in caught.value.remedy


def test_trims_are_of_log_time(tmp_path: Path) -> None:
    write_episode(tmp_path)
    from_ns, to_ns = START_NS + 2 * STEP_NS, START_NS + 5 * STEP_NS
    write_edits(tmp_path, edit(1, 1, "trim", fromNs=str(from_ns), toNs=None))
    write_edits(tmp_path, edit(1, 1, "trim", fromNs=str(from_ns), toNs=str(to_ns)))
    (episode,) = select_episodes(tmp_path, "reach-block").episodes
    assert [episode.keeps(at) for at in (from_ns - 1, from_ns, to_ns, to_ns + 1)] == [
        False,
        True,
        True,
        False,
    ]
    # Images are received 12 ms after their stamps: those of steps 2, 3 and 4 remain.
    assert episode.stamps(CAMERA["imageTopic"]) == [START_NS + step * STEP_NS for step in (2, 3, 4)]


def test_several_sets_are_one_with_each_recording_once(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    write_episode(first, 1, seed=1)
    path = write_episode(first, 2, seed=2)
    write_episode(second, 1, seed=3)
    write_episode(second, 2, seed=4, end={"outcome": "failure"})
    shutil.copytree(path.parent, tmp_path / "third" / path.parent.name)
    found = select_from([first, second, tmp_path / "third", second], "reach-block")
    assert [episode.name for episode in found.episodes] == [
        f"{first}/episode-000001",
        f"{first}/episode-000002",
        f"{second}/episode-000001",
    ]
    # What a bundle says of them does not depend on where they lay.
    assert [episode.recording().name[-1] for episode in found.episodes] == ["1", "2", "1"]
    assert found.remarks == [
        f"{second}/episode-000002 is a failure",
        f"{tmp_path}/third/episode-000002 is a copy of {first}/episode-000002",
        f"{second}/episode-000002 is a failure",
        f"{second}/episode-000001 is a copy of {second}/episode-000001",
    ]


def test_no_set_and_a_folder_that_is_none_are_refused(tmp_path: Path) -> None:
    write_episode(tmp_path / "first", 1, seed=1)
    for folders, found in (([], "No set"), ([tmp_path / "first", tmp_path / "none"], "none holds no")):
        with pytest.raises(TrainerError, match=found) as caught:
            select_from(folders, "reach-block")
        assert caught.value.code == "EPISODES_MISSING"
