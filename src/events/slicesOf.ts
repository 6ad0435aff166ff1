/**
 * A long list as slices of so many, the last one shorter. Effect's own `chunksOf` copies all that is left for every chunk: two hundred
 * thousand entries held the event loop up for a second.
 */
export const slicesOf = <A>(items: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size)
  )
