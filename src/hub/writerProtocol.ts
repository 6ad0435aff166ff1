/** What the hub and its writer thread say to each other. Events travel as rows of plain values, which costs a third of objects. */
import { Schema } from "effect"
import type { EncodedEvent, Offset, StreamId, Version } from "../events/Event.js"
import { type Agenda, JournalUnavailable, type VersionConflict } from "../events/Journal.js"
import { FormatTooNew } from "../events/migrations.js"
import type { Snapshot } from "../events/Snapshots.js"
import { UnknownEvent } from "../events/Upcasters.js"
import type { EncodedBatch } from "../events/Writer.js"

/** A call to a method of the writer, by a number that its answer bears too. */
export type Call = { readonly id: number } & (
  | { readonly method: "head" }
  | { readonly method: "commit"; readonly batches: ReadonlyArray<BatchRows> }
  | { readonly method: "saveSnapshots"; readonly snapshots: ReadonlyArray<Snapshot> }
  | { readonly method: "rebuild"; readonly projection: string }
  | { readonly method: "archive"; readonly from: Offset; readonly upTo: Offset }
  | { readonly method: "vacuum" }
  | { readonly method: "close" }
)

/** A batch's conflict among the answers of a commit. */
export type ConflictRow = { readonly conflict: typeof VersionConflict.Encoded }

/** Errors that cross the border whole; anything else is a defect. */
export const Fault = Schema.Union(JournalUnavailable, FormatTooNew, UnknownEvent)
export type Fault = typeof Fault.Type
export type EncodedFault = typeof Fault.Encoded

export type Reply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly fault: EncodedFault }
  | { readonly id: number; readonly defect: string }

/** The first thing that a writer thread says; it has no number. */
export type Greeting =
  | { readonly ready: true }
  | { readonly fault: EncodedFault }
  | { readonly defect: string }

type EventRow = readonly [
  stream: string,
  version: number,
  type: string,
  schema: number,
  at: number,
  state: string,
  by: string,
  commandId: string,
  causation: number | null,
  correlation: string | null,
  dataJson: string
]

export interface BatchRows {
  readonly events: ReadonlyArray<EventRow>
  readonly agendas: ReadonlyArray<Agenda>
}

export const toRows = ({ events, agendas }: EncodedBatch): BatchRows => ({
  events: events.map((event) => [
    event.stream,
    event.version,
    event.type,
    event.schema,
    event.at,
    event.state,
    event.by,
    event.commandId,
    event.causation,
    event.correlation,
    event.dataJson
  ]),
  agendas
})

export const fromRows = ({ events, agendas }: BatchRows): EncodedBatch => ({
  events: events.map(
    ([
      stream,
      version,
      type,
      schema,
      at,
      state,
      by,
      commandId,
      causation,
      correlation,
      dataJson
    ]): EncodedEvent => ({
      stream: stream as StreamId,
      version: version as Version,
      type,
      schema,
      at,
      state,
      by,
      commandId,
      causation: causation as Offset | null,
      correlation,
      dataJson
    })
  ),
  agendas
})
