/**
 * An old ledger as its server would have it in memory: what each entry of its file means, and the final state that is imported
 * (contracts: ledger 6.2). Nothing is dropped in silence: whatever does not count is counted or named.
 */

/** The record as the old server kept it, with the time and the floor that it gave it. */
export interface OldRecord {
  readonly [key: string]: unknown
}

/** What one id comes to: a record, a claim, or both. */
export interface OldEntry {
  readonly id: string
  readonly record?: OldRecord
  readonly publishedAt?: number
  readonly claim?: OldClaim
}

export interface OldClaim {
  /** The claimant's, as the old server made it up. */
  readonly token: string
  /** Epoch ms, where the old ledger knew it. */
  readonly claimedAt?: number
}

/** What became of an entry: it counts, it means nothing (as it meant nothing to the old server), or it cannot be made sense of. */
export type Taken = "taken" | "ignored" | "skipped"

interface Mark {
  readonly record: OldRecord
  readonly publishedAt: number
  inflations: number
}

export class OldLedger {
  readonly #marks = new Map<string, Mark>()
  readonly #claims = new Map<string, OldClaim>()
  /** Claims that were made under the encoded form of the id that they mean; known once it is settled. */
  decoded = 0

  /** `now` is the time of a record that has none of its own. */
  constructor(private readonly now: number) {}

  /** An entry of an append-only file, parsed. */
  take(entry: unknown): Taken {
    if (!isObject(entry)) return "ignored"
    switch (entry.type) {
      case "publish":
        return this.publish(entry.payload)
      case "claim":
        return this.claim(entry.id, entry.token)
      case "inflate":
        return this.#inflate(entry.id)
      default:
        return "ignored"
    }
  }

  /** A record replaces the one of its id and keeps that one's place. What it lacks is taken from `otherwise`. */
  publish(
    payload: unknown,
    otherwise: { readonly id?: unknown; readonly publishedAt?: unknown; readonly inflations?: unknown } = {}
  ): Taken {
    if (!isObject(payload)) return "skipped"
    const { intensity: _, ...record } = payload
    const id = record.id ?? otherwise.id
    if (!isStorable(id)) return "skipped"
    this.#marks.set(id, {
      record,
      publishedAt: [record.publishedAt, otherwise.publishedAt].find(isTime) ?? this.now,
      inflations: [record.inflations, otherwise.inflations].find(isFloor) ?? 0
    })
    return "taken"
  }

  /** The first claim of an id wins. */
  claim(id: unknown, token: unknown, claimedAt?: unknown): Taken {
    if (id === undefined || id === null || id === "" || !token) return "ignored"
    if (!isStorable(id)) return "skipped"
    if (this.#claims.has(id)) return "ignored"
    this.#claims.set(id, { token: String(token), ...(isTime(claimedAt) && { claimedAt }) })
    return "taken"
  }

  /** The final state, id by id: marks in the order in which they were first published, then claims of ids that have none. */
  *settle(): Generator<OldEntry> {
    const meant = new Map<string, OldClaim>()
    const alone: Array<OldEntry> = []
    for (const [id, claim] of this.#claims) {
      if (this.#marks.has(id)) continue
      const plain = decode(id)
      // Old clients encoded the id, and the old server did not decode it.
      const isMeant = plain !== undefined && this.#marks.has(plain)
      if (isMeant && !this.#claims.has(plain) && !meant.has(plain)) meant.set(plain, claim)
      else alone.push({ id, claim })
    }
    this.decoded = meant.size
    for (const [id, { record, publishedAt, inflations }] of this.#marks) {
      const claim = this.#claims.get(id) ?? meant.get(id)
      const isWhole = record.publishedAt === publishedAt && record.inflations === inflations
      // Where the record has these keys already they keep their places, so that it is listed as it was.
      const settled = isWhole ? record : { ...record, publishedAt, inflations }
      yield { id, record: settled, publishedAt, ...(claim && { claim }) }
    }
    yield* alone
  }

  #inflate(id: unknown): Taken {
    const mark = typeof id === "string" ? this.#marks.get(id) : undefined
    if (!mark) return "ignored"
    mark.inflations += 1
    return "taken"
  }
}

const isObject = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isTime = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value)

const isFloor = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0

/** Any text that can name a stream: half a character cannot be stored, and a zero byte ends a text in SQLite. */
const isStorable = (id: unknown): id is string =>
  typeof id === "string" && id !== "" && id.isWellFormed() && !id.includes("\0")

const decode = (id: string): string | undefined => {
  try {
    return decodeURIComponent(id)
  } catch {
    return undefined
  }
}
