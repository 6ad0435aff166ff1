/** The life of many claims at once, as facts that their machine accepts. */
import type { ClaimEvent } from "../src/actors/claim/ClaimEvent.js"
import type { Offset } from "../src/events/Event.js"
import { mark } from "./mark.js"
import type { Sizes } from "./Scenario.js"

export interface Happening {
  readonly id: string
  readonly fact: ClaimEvent
}

/** Of each held claim: enough for a snapshot, and some events after it. */
const renewalsEach = 68
/** No lease of the long past ends while it is measured. */
const ttlMs = 86_400_000

/**
 * Whoever asks for the next one says at which offset the last one came to stand, since a grant's offset is its token. As many claims
 * are open at the end as are held; the others are finished, in even numbers between the renewals.
 */
export function* happenings({ journalEvents, unfinished }: Sizes): Generator<Happening, void, Offset> {
  const tokens: Array<Offset> = []
  for (let n = 0; n < unfinished; n++) {
    yield deposited(`open-${n}`)
    yield deposited(`held-${n}`)
    tokens.push(yield granted(`held-${n}`))
  }
  const renewals = unfinished * renewalsEach
  const finishing = Math.floor((journalEvents - 3 * unfinished - renewals) / 3)
  let finished = 0
  for (let renewal = 0; renewal < renewals; renewal++) {
    const n = renewal % unfinished
    yield { id: `held-${n}`, fact: { type: "ClaimRenewed", token: tokens[n] as Offset } }
    for (; finished < (finishing * (renewal + 1)) / renewals; finished++) {
      const id = `finished-${finished}`
      yield deposited(id)
      const token = yield granted(id)
      yield { id, fact: { type: "ClaimCompleted", token, summary: "done", result: null, evidence: [] } }
    }
  }
}

const deposited = (id: string): Happening => ({ id, fact: { type: "PheromoneDeposited", record: mark(id) } })

const granted = (id: string): Happening => ({
  id,
  fact: { type: "ClaimGranted", peer: "ada", ttlMs, graceMs: 60_000, attempt: 1 }
})
