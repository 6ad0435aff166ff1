/** Questions to the projections `senses` and `signals`. */
import { Effect } from "effect"
import type { Offset } from "../events/Event.js"
import type { JournalUnavailable } from "../events/Journal.js"
import type { ReadRows } from "./Projector.js"

export interface StoredSense {
  readonly name: string
  readonly group: string
  readonly state: string
  readonly module: string | null
  readonly circuit: string | null
  readonly last_start_at: number | null
  readonly last_outcome: string | null
  readonly last_signal_offset: number | null
  readonly last_error: string | null
  readonly due_at: number | null
  readonly failures: number
  readonly computes: number
  readonly signals: number
  readonly settings: string
  readonly worker_id: string | null
  readonly circuit_until: number | null
  readonly offset: number
}

export interface StoredSignal {
  readonly sense: string
  readonly sequence: number
  readonly offset: number
  readonly at: number
  readonly payload: string
  readonly depth: number
}

type Read<A> = Effect.Effect<A, JournalUnavailable>

/** Those that are configured, by name. */
export const listSenses = (read: ReadRows): Read<ReadonlyArray<StoredSense>> =>
  read("SELECT * FROM senses WHERE state <> 'absent' ORDER BY name")

/** One that is configured. */
export const findSense = (read: ReadRows, name: string): Read<StoredSense | undefined> =>
  Effect.map(
    read<StoredSense>("SELECT * FROM senses WHERE name = ? AND state <> 'absent'", [name]),
    ([row]) => row
  )

/** A page of signals, the newest first: of one sense or of all, before an offset. */
export const listSignals = (
  read: ReadRows,
  {
    sense,
    before,
    limit
  }: { readonly sense?: string | undefined; readonly before: number; readonly limit: number }
): Read<ReadonlyArray<StoredSignal>> =>
  sense === undefined
    ? read(`SELECT * FROM signals WHERE "offset" < ? ORDER BY "offset" DESC LIMIT ?`, [before, limit])
    : read(`SELECT * FROM signals WHERE sense = ? AND "offset" < ? ORDER BY "offset" DESC LIMIT ?`, [
        sense,
        before,
        limit
      ])

/** The latest signal of each of these senses that was there at an offset. */
export const latestSignals = (
  read: ReadRows,
  senses: ReadonlyArray<string>,
  upTo: Offset
): Read<ReadonlyArray<StoredSignal>> =>
  senses.length === 0
    ? Effect.succeed([])
    : read(
        `SELECT signals.* FROM json_each(?) AS wanted CROSS JOIN signals
         ON signals."offset" = (
           SELECT max("offset") FROM signals WHERE sense = wanted.value AND "offset" <= ?
         )`,
        [JSON.stringify(senses), upTo]
      )
