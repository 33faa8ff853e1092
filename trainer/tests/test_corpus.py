"""Real episodes of former versions (test/corpus/episodes): the trainer reads what the daemon has recorded."""

import json
from pathlib import Path

import numpy as np
import pytest

from cerebellum_trainer.dataset import read_dataset
from cerebellum_trainer.episodes import Episode, select_episodes
from cerebellum_trainer.images import Preprocessing
from cerebellum_trainer.samples import Reading, Stillness, read_samples

CORPUS = Path(__file__).parents[2] / "test" / "corpus" / "episodes"
SET = CORPUS / "reach-block"
FACTS = json.loads((CORPUS / "facts.json").read_text(encoding="utf-8"))
RATE_HZ = 5.0
STILL = Stillness(0.004, 0.03)


def second() -> Episode:
    return select_episodes(SET, "reach-block", include_flagged=True).episodes[1]


def test_both_are_taken_and_nothing_is_left_out() -> None:
    selection = select_episodes(SET, "reach-block")
    assert [episode.path.stem for episode in selection.episodes] == ["episode-000001", "episode-000002"]
    assert selection.remarks == []


def test_labels_are_what_the_daemons_own_reader_reads() -> None:
    samples = read_samples(second(), Reading(), RATE_HZ, STILL)
    facts = FACTS["reach-block/episode-000002"]
    # The last step was cancelled when the expert had arrived: it has a label, but nothing was commanded.
    assert len(samples) == facts["labelledSteps"] - 1 == 46
    assert [sample.hold for sample in samples].count(True) == 7
    assert np.abs([sample.action_rad for sample in samples]).max() <= 0.150001
    holds = np.array([sample.action_rad for sample in samples if sample.hold])
    np.testing.assert_allclose(holds[-1], facts["lastLabelRad"], atol=0.01)


def test_what_was_sent_tells_the_same_motion_as_the_labels() -> None:
    """Two sources of one motion: where the arm goes from one image to the next is the same way in both."""
    episode = second()
    label = read_samples(episode, Reading(), RATE_HZ, STILL)
    sent = read_samples(episode, Reading("sent"), RATE_HZ, STILL)
    assert abs(len(sent) - len(label)) <= 5
    stamps = np.array([sample.image_stamp_ns for sample in sent])
    pairs = [
        (one.action_rad, sent[int(np.abs(stamps - one.image_stamp_ns).argmin())].action_rad)
        for one in label[2:]
        if not one.hold
    ]
    wanted, was_sent = (np.array(side).ravel() for side in zip(*pairs, strict=True))
    assert np.corrcoef(wanted, was_sent)[0, 1] > 0.9
    # Less than what was wanted at each step: the next step comes before the arm has got there.
    assert 0.4 < np.linalg.norm(was_sent) / np.linalg.norm(wanted) < 1


def test_the_trim_and_both_sources_make_a_data_set(capsys: pytest.CaptureFixture[str]) -> None:
    for actions in ("label", "sent"):
        reading = Reading(actions, include_flagged=True)
        data = read_dataset([SET], "reach-block", reading, Preprocessing(), RATE_HZ, STILL)
        assert data.episodes == 2
        assert data.camera.fov_y_deg == 42
        assert len(data.golden_frames) == 2
        counts = np.bincount(data.episode.numpy())
        # 8.5 s trimmed to 6.5 s, and 9.5 s, at 5 Hz.
        assert 28 <= counts[0] <= 34
        assert 40 <= counts[1] <= 48
    assert "left out" not in capsys.readouterr().out
