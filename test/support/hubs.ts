/** Hubs of one boot or more, told by what their journal says of them. */
import { Effect } from "effect"
import { jsonLines, moundIn } from "./binaries.js"

/** An event as the binaries print it. */
export interface PrintedEvent {
  readonly offset: number
  readonly stream: string
  readonly version: number
  readonly type: string
  readonly state: string
  readonly by: string
  readonly data: { readonly [field: string]: unknown }
}

/** Everything in a workspace's journal, read by `journal tail` whether a hub runs or not. */
export const eventsIn = (workspace: string): Effect.Effect<ReadonlyArray<PrintedEvent>> =>
  Effect.map(
    moundIn(workspace)("journal", "tail", "-n", "100000", "--json"),
    ({ stdout }) => jsonLines(stdout) as unknown as ReadonlyArray<PrintedEvent>
  )

/** The hub's own events, by type. */
export const hubTypesIn = (workspace: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(eventsIn(workspace), (events) =>
    events.filter(({ stream }) => stream === "hub").map(({ type }) => type)
  )

/** Posts a body to a hub and answers with what it says. */
export const post = (
  { url }: { readonly url: string },
  path: string,
  body: unknown = {}
): Effect.Effect<Record<string, unknown>> =>
  Effect.promise(async () => {
    const response = await fetch(`${url}${path}`, { method: "POST", body: JSON.stringify(body) })
    return (await response.json()) as Record<string, unknown>
  })

/** Leaves a mark that does not fade. */
export const deposit = (hub: { readonly url: string }, id: string, baseIntensity = 1) =>
  post(hub, "/claims", { record: { id, stanceTarget: "s", baseIntensity, decayRate: 0 } })
