/**
 * `metadata.yaml` of rosbag2, form 9, so that an episode's folder is a bag for `ros2 bag` and rosbags. Both that file and
 * each channel of the MCAP file name the profile of the publisher; rosbags matches channels to topics by it and yields
 * no message, without a word, where the two differ. So both are made here, from one profile.
 */
import { stringify } from "yaml";

export interface BagTopic {
  readonly topic: string;
  readonly type: string;
  readonly count: number;
}

export interface BagContents {
  /** Name of the .mcap file in the folder. */
  readonly file: string;
  readonly topics: readonly BagTopic[];
  /** Least and greatest log time; both 0 without messages. */
  readonly startNs: bigint;
  readonly endNs: bigint;
}

export const METADATA_FILE = "metadata.yaml";
export const QOS_KEY = "offered_qos_profiles";

/** As rosbag2 writes "no limit". */
const FOREVER = { sec: 9223372036, nsec: 854775807 };
/** Topics whose newest message is for whoever comes later, by the customs of ROS: RViz asks for them in no other way. */
const LATCHED = /(^|\/)(tf_static|robot_description)$/;
/** Reliable publishers serve every kind of subscription, so `ros2 bag play` reaches all of them. */
const offeredQos = (topic: string) => [
  {
    history: "keep_last",
    depth: 10,
    reliability: "reliable",
    durability: LATCHED.test(topic) ? "transient_local" : "volatile",
    deadline: FOREVER,
    lifespan: FOREVER,
    liveliness: "automatic",
    liveliness_lease_duration: FOREVER,
    avoid_ros_namespace_conventions: false,
  },
];
const YAML = { aliasDuplicateObjects: false, lineWidth: 0 } as const;

/** Metadata of a topic's channel in the MCAP file. */
export const channelMetadata = (topic: string): Map<string, string> =>
  new Map([[QOS_KEY, stringify(offeredQos(topic), YAML)]]);

export const metadataYaml = (contents: BagContents): string => stringify(bagInformation(contents), YAML);

export function bagInformation({ file, topics, startNs, endNs }: BagContents) {
  const count = topics.reduce((sum, { count }) => sum + count, 0);
  const starting_time = { nanoseconds_since_epoch: startNs };
  const duration = { nanoseconds: endNs - startNs };
  return {
    rosbag2_bagfile_information: {
      version: 9,
      storage_identifier: "mcap",
      duration,
      starting_time,
      message_count: count,
      topics_with_message_count: topics.map(({ topic, type, count }) => ({
        topic_metadata: {
          name: topic,
          type,
          serialization_format: "cdr",
          offered_qos_profiles: offeredQos(topic),
          type_description_hash: "",
        },
        message_count: count,
      })),
      compression_format: "",
      compression_mode: "",
      relative_file_paths: [file],
      files: [{ path: file, starting_time, duration, message_count: count }],
      custom_data: {},
      ros_distro: "",
    },
  };
}
