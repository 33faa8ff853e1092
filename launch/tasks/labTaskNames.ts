/** The tasks of the arm that can be tried in the lab. Names only, for who must not load what they need. */
export const LAB_TASKS = ["reach-block", "pick-cube", "close-fridge", "pick-fruit"] as const;
export type LabTask = (typeof LAB_TASKS)[number];
export const isLabTask = (name: string): name is LabTask => (LAB_TASKS as readonly string[]).includes(name);
