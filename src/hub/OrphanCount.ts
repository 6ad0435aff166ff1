/** Processes of sessions that were over, found running at the start: shown in health for a while, since somebody lost track of them. */

const shownMs = 10 * 60_000

export class OrphanCount {
  #count = 0
  #at = Number.NEGATIVE_INFINITY

  note(count: number, at: number): void {
    this.#count = count
    this.#at = at
  }

  recent(now: number): number {
    return now - this.#at < shownMs ? this.#count : 0
  }
}
