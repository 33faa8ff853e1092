import contextlib

import numpy as np
import pytest
from recording import COMPRESSED_IMAGE, TYPES, Cdr, compressed_image, policy_step, servo_tick

from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.rosmsg import MessageType

STAMP_NS = 1_700_000_000_123_456_789
IMAGE = MessageType("sensor_msgs/msg/CompressedImage", COMPRESSED_IMAGE)
TICK, STEP = (MessageType(*TYPES[topic]) for topic in ("/arm/servo_tick", "/cerebellum/policy_step"))
JOINTS = np.arange(7) / 8
IMAGE_BYTES = compressed_image(STAMP_NS, b"\xff\xd8 any bytes", "jpeg")
TICK_BYTES = servo_tick(STAMP_NS, STAMP_NS - 2, JOINTS, -JOINTS)
STEP_BYTES = policy_step(STAMP_NS, STAMP_NS - 9, JOINTS, 2 * JOINTS, "hold")


def kind(definition: str, name: str = "test_msgs/msg/Thing") -> MessageType:
    return MessageType(name, definition)


def test_image_keeps_its_capture_time_to_the_nanosecond() -> None:
    image = IMAGE.decode(IMAGE_BYTES)
    assert image == {
        "header": {"stamp": STAMP_NS, "frame_id": "camera"},
        "format": "jpeg",
        "data": b"\xff\xd8 any bytes",
    }


def test_ticks_and_steps_have_every_field_at_its_place() -> None:
    tick = TICK.decode(TICK_BYTES)
    assert (tick["stamp"], tick["state_stamp"], tick["state"]) == (STAMP_NS, STAMP_NS - 2, "following")
    assert (tick["tick"], tick["state_sequence"], tick["device_time_us"]) == (17, 18, 19)
    np.testing.assert_array_equal(tick["sent_rad"], JOINTS)
    np.testing.assert_array_equal(tick["position_rad"], -JOINTS)
    assert (tick["gripper_opening_m"], tick["device_error_code"]) == (0.08, 0)
    step = STEP.decode(STEP_BYTES)
    assert (step["image_stamp"], step["phase"], step["refusal"]) == (STAMP_NS - 9, "hold", "")
    np.testing.assert_array_equal(step["label_rad"], 2 * JOINTS)
    assert (step["command_seq"], step["wire_stamp"], step["send_ms"]) == (4, STAMP_NS + 1, 0.2)


def test_a_captured_string_reads() -> None:
    """std_msgs/String "hello" as rmw_fastrtps writes it."""
    message = bytes.fromhex("0001000006000000 68656c6c6f00".replace(" ", ""))
    assert kind("string data").decode(message) == {"data": "hello"}


def test_a_definition_with_everything_in_it() -> None:
    definition = """# A comment
uint8 SOMETHING=3   # a constant
string NAME = "with a # in it"
bool flag
int8 small 7        # a default
Other[] others
float32[3] fixed
uint16[<=5] bounded
string<=10 short_name
================================================================================
MSG: test_msgs/Other
int64 big
other_msgs/Deep deep
================================================================================
MSG: other_msgs/Deep
float64 value
"""
    message = Cdr().pack("?", True).pack("b", -3).u32(2)
    for big in (-5, 6):
        message.pack("q", big).float64s(big / 2)
    for value in (0.5, 1.5, 2.5):
        message.pack("f", value)
    message.u32(2).pack("H", 7).pack("H", 8).text("end")
    found = kind(definition).decode(message.message())
    np.testing.assert_array_equal(found.pop("fixed"), [0.5, 1.5, 2.5])
    np.testing.assert_array_equal(found.pop("bounded"), [7, 8])
    assert found == {
        "flag": True,
        "small": -3,
        "others": [{"big": -5, "deep": {"value": -2.5}}, {"big": 6, "deep": {"value": 3.0}}],
        "short_name": "end",
    }


@pytest.mark.parametrize(
    "definition",
    ["uint8", "Missing thing", "wstring wide", "Thing again", "float64 = 3", "uint8[2][3] square"],
)
def test_a_definition_that_cannot_be_understood_is_refused(definition: str) -> None:
    with pytest.raises(TrainerError) as caught:
        kind(definition)
    assert caught.value.code == "DEFINITION_UNUSABLE"
    assert "Thing" in caught.value.happened or "Missing" in caught.value.happened


@pytest.mark.parametrize(("read", "message"), [(IMAGE, IMAGE_BYTES), (TICK, TICK_BYTES), (STEP, STEP_BYTES)])
def test_every_shorter_message_is_refused(read: MessageType, message: bytes) -> None:
    for size in range(len(message)):
        with pytest.raises(TrainerError, match=r"ends at byte|starts with|declares") as caught:
            read.decode(message[:size])
        assert caught.value.code == "CDR_CORRUPT"


def test_every_flipped_bit_is_read_or_refused() -> None:
    for read, message in ((IMAGE, IMAGE_BYTES), (TICK, TICK_BYTES), (STEP, STEP_BYTES)):
        for bit in range(8 * len(message)):
            flipped = bytearray(message)
            flipped[bit // 8] ^= 1 << (bit % 8)
            with contextlib.suppress(TrainerError):
                read.decode(bytes(flipped))


@pytest.mark.parametrize("definition", ["float64[] values", "uint8[] data", "string[] names", "string name"])
def test_a_huge_count_is_refused_before_anything_is_allocated(definition: str) -> None:
    with pytest.raises(TrainerError, match=r"declares|ends at byte"):
        kind(definition).decode(b"\0\1\0\0\xff\xff\xff\xff" + b"\0" * 64)


def test_big_endian_is_refused() -> None:
    with pytest.raises(TrainerError, match="little-endian"):
        STEP.decode(b"\0\0\0\0" + STEP_BYTES[4:])
