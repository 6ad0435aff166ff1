/** A binary heap: the least element first, in logarithmic time. */
export class Heap<A> {
  readonly #items: Array<A> = []

  constructor(
    private readonly compare: (a: A, b: A) => number,
    items: Iterable<A> = []
  ) {
    for (const item of items) this.push(item)
  }

  get size(): number {
    return this.#items.length
  }

  /** In no order. */
  [Symbol.iterator](): Iterator<A> {
    return this.#items[Symbol.iterator]()
  }

  peek(): A | undefined {
    return this.#items[0]
  }

  push(item: A): void {
    const items = this.#items
    let index = items.length
    items.push(item)
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = items[parent] as A
      if (this.compare(above, item) <= 0) break
      items[index] = above
      index = parent
    }
    items[index] = item
  }

  pop(): A | undefined {
    const items = this.#items
    const least = items[0]
    const last = items.pop()
    if (last !== undefined && items.length > 0) this.#sink(last)
    return least
  }

  /** Puts an item in the root's place and lets it sink to where it belongs. */
  #sink(item: A): void {
    const items = this.#items
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= items.length) break
      if (child + 1 < items.length && this.compare(items[child + 1] as A, items[child] as A) < 0) child++
      const below = items[child] as A
      if (this.compare(item, below) <= 0) break
      items[index] = below
      index = child
    }
    items[index] = item
  }
}
