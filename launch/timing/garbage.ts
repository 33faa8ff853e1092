/** What a piece of work that is done over and over leaves on the heap. */

/** Short enough that no collection falls between two looks at the heap, mostly. */
const STRETCH_RUNS = 100;
const STRETCHES = 100;

export interface Garbage {
  /** Live bytes after `runs` less those before them, each after a full collection. */
  readonly heapGrowthBytes: number;
  /** Made by one run: median over short stretches without a collection. */
  readonly bytesPerRun: number;
}

/**
 * @param options.run does the work so many times; called often enough before that the compiler has seen all of it
 * @param options.collect a full collection of garbage
 */
export function measureGarbage(options: {
  readonly runs: number;
  readonly run: (count: number) => void;
  readonly collect: () => void;
}): Garbage {
  const { runs, run, collect } = options;
  collect();
  const perRun: number[] = [];
  for (let stretch = 0; stretch < STRETCHES; stretch++) {
    const beforeBytes = process.memoryUsage().heapUsed;
    run(STRETCH_RUNS);
    const madeBytes = process.memoryUsage().heapUsed - beforeBytes;
    if (madeBytes >= 0) perRun.push(madeBytes / STRETCH_RUNS);
  }
  collect();
  const beforeBytes = process.memoryUsage().heapUsed;
  run(runs);
  collect();
  const heapGrowthBytes = process.memoryUsage().heapUsed - beforeBytes;
  perRun.sort((one, other) => one - other);
  return { heapGrowthBytes, bytesPerRun: perRun[perRun.length >> 1] ?? Number.NaN };
}
