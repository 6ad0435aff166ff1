/** What this process takes of memory, bytes, once it has let go of what it can. It must be started with `--expose-gc`. */
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
