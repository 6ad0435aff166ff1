/** What tests do with runs over HTTP, whoever serves it. */
import { Effect } from "effect"
import type { RunRow } from "../../src/http/workflowApi.js"
import type { Client } from "./client.js"

export interface Fate {
  readonly runId: string
  readonly status: string
  readonly reason?: string
}

export interface SeenEvent {
  readonly offset: number
  readonly type: string
  readonly state: string
  readonly data: { readonly [field: string]: unknown }
}

export const request = (
  { post }: Client,
  workflow: string,
  payload: object = {},
  headers: Record<string, string> = {}
): Effect.Effect<Fate> =>
  Effect.map(
    post(`/workflows/${workflow}/runs`, { prompt: "tidy up", ...payload }, headers),
    ({ body }) => body as Fate
  )

export const rowOf = ({ get }: Client, runId: string): Effect.Effect<RunRow> =>
  Effect.map(get(`/workflow_runs/${runId}`), ({ body }) => body as RunRow)

/** The run once it has ended. */
export const ended = ({ get }: Client, runId: string): Effect.Effect<RunRow> =>
  Effect.map(get(`/workflow_runs/${runId}?wait=30000`), ({ body }) => body as RunRow)

export const eventsOf = ({ get }: Client, runId: string): Effect.Effect<ReadonlyArray<SeenEvent>> =>
  Effect.map(
    get(`/workflow_runs/${runId}/events?limit=1000`),
    ({ body }) => (body as { readonly rows: ReadonlyArray<SeenEvent> }).rows
  )

export const typesOf = (client: Client, runId: string) =>
  Effect.map(eventsOf(client, runId), (events) => events.map(({ type }) => type))

/** Waits until a run's row is as it should be. */
export const until = (client: Client, runId: string, isSo: (row: RunRow) => boolean): Effect.Effect<RunRow> =>
  Effect.repeat(Effect.delay(rowOf(client, runId), 20), { until: isSo }).pipe(
    Effect.timeoutFail({ duration: 20_000, onTimeout: () => new Error(`run ${runId} never got there`) }),
    Effect.orDie
  )
