"""Looks on as Foxglove does: both names of the protocol, every channel, messages decoded by rosbags from the schema given."""

import asyncio
import json
import struct
import sys

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from websockets.asyncio.client import connect


async def look(url: str, protocol: str, seconds: float) -> dict:
    store = get_typestore(Stores.EMPTY)
    got: dict[str, dict] = {}
    async with connect(url, subprotocols=[protocol], max_size=2**24) as ws:
        info = json.loads(await ws.recv())
        channels = json.loads(await ws.recv())["channels"]
        types: dict = {}
        for channel in channels:
            types.update(get_types_from_msg(channel["schema"], channel["schemaName"]))
        store.register(types)
        await ws.send(
            json.dumps(
                {
                    "op": "subscribe",
                    "subscriptions": [
                        {"id": 1000 + channel["id"], "channelId": channel["id"]} for channel in channels
                    ],
                }
            )
        )
        await ws.send(json.dumps({"op": "advertise", "channels": [{"id": 1, "topic": "/evil"}]}))
        by_subscription = {1000 + channel["id"]: channel for channel in channels}
        statuses = []
        end = asyncio.get_running_loop().time() + seconds
        while (left := end - asyncio.get_running_loop().time()) > 0:
            try:
                data = await asyncio.wait_for(ws.recv(), left)
            except TimeoutError:
                break
            if isinstance(data, str):
                statuses.append(json.loads(data)["message"])
                continue
            opcode, subscription, log_ns = struct.unpack_from("<BIQ", data)
            assert opcode == 1
            channel = by_subscription[subscription]
            message = store.deserialize_cdr(data[13:], channel["schemaName"])
            seen = got.setdefault(channel["topic"], {"count": 0})
            seen["count"] += 1
            seen["logNs"] = log_ns
            if channel["schemaName"] == "sensor_msgs/msg/JointState":
                seen["positions"] = len(message.position)
            if channel["schemaName"] == "sensor_msgs/msg/Image":
                seen["bytes"] = len(message.data)
            if channel["schemaName"].endswith("ServoState"):
                seen["state"] = message.state
            if channel["schemaName"] == "std_msgs/msg/String":
                seen["text"] = message.data[:20]
        return {
            "protocol": ws.subprotocol,
            "capabilities": info["capabilities"],
            "channels": [channel["topic"] for channel in channels],
            "statuses": statuses,
            "got": got,
        }


print(json.dumps([asyncio.run(look(sys.argv[1], protocol, float(sys.argv[2]))) for protocol in sys.argv[3:]]))
