/** What a process takes, in bytes, after its garbage is gone. For processes that were started with `--expose-gc`. */

export interface Weight {
  readonly heapBytes: number
  readonly residentBytes: number
}

export const weigh = (): Weight => {
  // Twice: the first collection frees what finalizers hold, the second what they let go.
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heapBytes: heapUsed + external, residentBytes: rss }
}

/** How much more there is than before. */
export const growth = (before: Weight, after: Weight): Weight => ({
  heapBytes: after.heapBytes - before.heapBytes,
  residentBytes: after.residentBytes - before.residentBytes
})
