/** A hub's journal, read over HTTP. */

export interface SeenEvent {
  readonly offset: number
  readonly type: string
  readonly at: number
}

const pageSize = 1_000

/** Its events of some types, all of them. */
export const journalOf = async (
  port: number,
  types: ReadonlyArray<string>
): Promise<ReadonlyArray<SeenEvent>> => {
  const found: Array<SeenEvent> = []
  let after = 0
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/journal?after=${after}&limit=${pageSize}`)
    const { events, next } = (await answer.json()) as { events: ReadonlyArray<SeenEvent>; next: number }
    found.push(...events.filter(({ type }) => types.includes(type)))
    if (events.length === 0) return found
    after = next
  }
}
