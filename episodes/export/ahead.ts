/** Work on coming items while earlier ones are still being used. */

/**
 * Results in the order of the source, with up to `ahead` pieces of work begun before their turn. When the consumer stops,
 * or one fails, what has begun is waited for, so that nothing goes on behind an error.
 */
export async function* mapAhead<T, R>(
  source: AsyncIterable<T>,
  ahead: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<[item: T, result: R], void, void> {
  const begun: [T, Promise<R>][] = [];
  try {
    for await (const item of source) {
      const result = work(item);
      // Looked at in its turn; until then a failure must not count as unhandled.
      result.catch(() => undefined);
      begun.push([item, result]);
      if (begun.length < ahead) continue;
      const [first, done] = begun.shift()!;
      yield [first, await done];
    }
    for (let next = begun.shift(); next !== undefined; next = begun.shift()) yield [next[0], await next[1]];
  } finally {
    await Promise.allSettled(begun.map(([, result]) => result));
  }
}
