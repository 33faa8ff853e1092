"""What the link says of itself, without a broker."""

from __future__ import annotations

from cerebellum_vive_bridge.link import Link, LinkConfig


def test_two_bridges_on_one_broker_do_not_take_each_others_place() -> None:
    names = set()
    for device in ("vive-left", "vive-right"):
        link = Link(LinkConfig("mqtt://broker:1883", "cerebellum/cell/", device, device, None), lambda _text: None)
        names.add(bytes(link._client._client_id).decode())
    assert names == {"vive-bridge-vive-left", "vive-bridge-vive-right"}
