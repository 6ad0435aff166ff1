/** The old ledger's summary of an audit log, to the byte (contracts: ledger 6.5). */

type Fields = { readonly [field: string]: unknown }
type StoreName = "jsonl" | "sqlite"

/** What the passes over one kind of store came to. */
class Compaction {
  readonly durations: Array<number> = []
  readonly sums = { runs: 0, kept: 0, dropped: 0, bytesBefore: 0, bytesAfter: 0 }

  take(fields: Fields): void {
    this.sums.runs += 1
    for (const name of ["kept", "dropped", "bytesBefore", "bytesAfter"] as const) {
      this.sums[name] += numberOr0(fields[name])
    }
    if (typeof fields.durationMs === "number") this.durations.push(fields.durationMs)
  }

  get summary() {
    const sorted = this.durations.toSorted((a, b) => a - b)
    const durationMsP95 = sorted[Math.floor(0.95 * (sorted.length - 1))] ?? null
    return { ...this.sums, durationMsP95 }
  }
}

export class LedgerMetrics {
  #lines = 0
  #parsed = 0
  #skipped = 0
  #startTs: number | null = null
  #endTs: number | null = null
  readonly #byEvent = new Map<string, number>()
  readonly #ids = { publish: new Set<string>(), claim: new Set<string>(), inflate: new Set<string>() }
  readonly #stores = { jsonl: new Compaction(), sqlite: new Compaction() }

  /** One piece of a file between two line feeds. */
  takeLine(line: string): void {
    this.#lines += 1
    if (line.trim() === "") return
    const fields = parse(line)
    if (fields && typeof fields.ts === "number" && typeof fields.event === "string" && fields.event !== "")
      this.#take(fields.ts, fields.event, fields)
    else this.#skipped += 1
  }

  /** The same for an entry that never was a line. */
  takeEntry(entry: Fields & { readonly ts: number; readonly event: string }): void {
    this.#lines += 1
    this.#take(entry.ts, entry.event, entry)
  }

  /** `path` is where it was read from. */
  summary(path: string) {
    const count = (event: string) => this.#byEvent.get(event) ?? 0
    const [startTs, endTs] = [this.#startTs, this.#endTs]
    const durationMs = startTs === null || endTs === null ? null : Math.max(0, endTs - startTs)
    return {
      version: 1,
      input: { path, lines: this.#lines, parsed: this.#parsed, skipped: this.#skipped },
      window: { startTs, endTs, durationMs },
      events: { total: this.#parsed, byEvent: Object.fromEntries(this.#byEvent) },
      pheromones: {
        published: this.#ids.publish.size,
        claimed: this.#ids.claim.size,
        inflated: this.#ids.inflate.size,
        claimConflicts: count("claim_conflict"),
        publishErrors: count("publish_error"),
        stanceUnknown: count("stance_unknown"),
        inflateMissing: count("inflate_missing")
      },
      sse: { opens: count("sse_open") },
      http: { notFound: count("not_found"), healthz: count("healthz") },
      compaction: {
        runs: count("compaction_done"),
        decayGcErrors: count("decay_gc_error"),
        byStore: { jsonl: this.#stores.jsonl.summary, sqlite: this.#stores.sqlite.summary }
      }
    }
  }

  #take(ts: number, event: string, fields: Fields): void {
    this.#parsed += 1
    this.#byEvent.set(event, (this.#byEvent.get(event) ?? 0) + 1)
    this.#startTs = Math.min(this.#startTs ?? ts, ts)
    this.#endTs = Math.max(this.#endTs ?? ts, ts)
    const { id, store } = fields
    if (isCounted(event) && typeof id === "string" && id !== "") this.#ids[event].add(id)
    if (event === "compaction_done" && isStore(store)) this.#stores[store].take(fields)
  }
}

const isCounted = (event: string): event is "publish" | "claim" | "inflate" =>
  event === "publish" || event === "claim" || event === "inflate"

const isStore = (store: unknown): store is StoreName => store === "jsonl" || store === "sqlite"

const numberOr0 = (value: unknown): number => (typeof value === "number" ? value : 0)

const parse = (line: string): Fields | undefined => {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === "object" && value !== null ? (value as Fields) : undefined
  } catch {
    return undefined
  }
}
