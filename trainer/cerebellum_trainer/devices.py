"""The devices that policies move, and what of them matters in training. Names and order are the daemon's."""

from __future__ import annotations

from dataclasses import dataclass

from cerebellum_trainer.errors import TrainerError


@dataclass(frozen=True)
class Device:
    name: str
    joints: tuple[str, ...]
    # Its joints are springs: where one is told to be and where it is differ by what it carries and touches,
    # for as long as it does. A stiff one is where it was told to be, but for a little lag.
    is_compliant: bool
    # Largest action of a joint in a step [rad].
    clip_rad: float


XARM7 = Device("xarm7", tuple(f"joint{number}" for number in range(1, 8)), False, 0.15)
ALLEGRO = Device("allegro", tuple(f"joint{number}" for number in range(16)), True, 0.8)
DEVICES = (XARM7, ALLEGRO)
# What a bundle's manifest may name (policies/manifest.ts).
POLICY_DEVICES = ("xarm7", "allegro", "xarm7-allegro")


@dataclass(frozen=True)
class Robot:
    """One robot of an episode. `order`: places of the device's joints in the robot's recorded vectors."""

    name: str
    device: Device
    order: tuple[int, ...]


def identify(robot: str, names: tuple[str, ...]) -> Robot | None:
    """The device with the most joints that are all there; None if there is none."""
    fitting = [device for device in DEVICES if set(device.joints) <= set(names)]
    if not fitting:
        return None
    device = max(fitting, key=lambda device: len(device.joints))
    return Robot(robot, device, tuple(names.index(joint) for joint in device.joints))


@dataclass(frozen=True)
class Body:
    """All that a policy moves: the joints of one device, or of several one after another."""

    devices: tuple[Device, ...]

    def __post_init__(self) -> None:
        names = [device.name for device in self.devices]
        if len(set(names)) < len(names):
            raise TrainerError(
                "ROBOTS_UNKNOWN",
                f"Two robots are both {', '.join(sorted({name for name in names if names.count(name) > 1}))}",
                "A policy moves at most one robot of each device",
            )

    @property
    def name(self) -> str:
        """As the bundle's manifest has it."""
        return "-".join(device.name for device in self.devices)

    def check_is_known(self) -> None:
        """Raises: TrainerError ROBOTS_UNKNOWN for devices, or an order of them, that no manifest may name."""
        if self.name not in POLICY_DEVICES:
            raise TrainerError(
                "ROBOTS_UNKNOWN",
                f"No policy moves {self.name} (known: {', '.join(POLICY_DEVICES)})",
                "Name the robots in that order with --robots",
            )

    @property
    def joints(self) -> tuple[str, ...]:
        """As the daemon calls them: of several devices each with its device's name, for the names repeat."""
        if len(self.devices) == 1:
            return self.devices[0].joints
        return tuple(f"{device.name}/{joint}" for device in self.devices for joint in device.joints)

    @property
    def is_compliant(self) -> tuple[bool, ...]:
        """One for each joint."""
        return tuple(device.is_compliant for device in self.devices for _ in device.joints)
