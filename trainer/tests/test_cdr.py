import numpy as np
import pytest
from recording import compressed_image, joint_state, string_message

from cerebellum_trainer import cdr
from cerebellum_trainer.errors import TrainerError

STAMP_NS = 1_700_000_000_123_456_789
IMAGE = compressed_image(STAMP_NS, b"\xff\xd8 any bytes")
JOINTS = joint_state(STAMP_NS, ["a", "joint12"], [0.25, -1.5])


def test_image_keeps_its_capture_time_to_the_nanosecond() -> None:
    image = cdr.read_compressed_image(IMAGE)
    assert (image.stamp_ns, image.format, image.data) == (STAMP_NS, "jpeg", b"\xff\xd8 any bytes")


def test_joint_state_reads_names_and_aligned_doubles() -> None:
    state = cdr.read_joint_state(JOINTS)
    assert state.names == ("a", "joint12")
    np.testing.assert_array_equal(state.position, [0.25, -1.5])


def test_a_captured_string_reads() -> None:
    """std_msgs/String "hello" as rmw_fastrtps writes it."""
    assert cdr.read_string(bytes.fromhex("0001000006000000 68656c6c6f00".replace(" ", ""))) == "hello"


@pytest.mark.parametrize(
    ("read", "message", "needed"),
    [
        (cdr.read_compressed_image, IMAGE, len(IMAGE)),
        (cdr.read_joint_state, JOINTS, len(JOINTS) - 8),
        (cdr.read_string, string_message("hello"), 14),
    ],
)
def test_every_shorter_message_is_refused(read, message: bytes, needed: int) -> None:
    for size in range(needed):
        with pytest.raises(TrainerError, match=r"ends at byte|starts with|declares"):
            read(message[:size])


def test_a_huge_count_is_refused_before_anything_is_allocated() -> None:
    message = b"\0\1\0\0" + JOINTS[4:16].ljust(16, b"\0") + b"\xff\xff\xff\xff" + b"\0" * 8
    with pytest.raises(TrainerError, match="declares"):
        cdr.read_joint_state(message)


def test_not_finite_and_unequal_joint_states_are_refused() -> None:
    for broken in (joint_state(STAMP_NS, ["a"], [float("nan")]), joint_state(STAMP_NS, ["a"], [1.0, 2.0])):
        with pytest.raises(TrainerError) as caught:
            cdr.read_joint_state(broken)
        assert caught.value.code == "CDR_CORRUPT"


def test_big_endian_is_refused() -> None:
    with pytest.raises(TrainerError, match="little-endian"):
        cdr.read_string(b"\0\0\0\0" + string_message("x")[4:])
