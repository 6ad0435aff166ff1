/** The routes that a supervisor polls: they work before the hub is ready, and say little to a stranger (contracts: hub 5). */
import type { IncomingMessage, ServerResponse } from "node:http"
import { Effect } from "effect"
import type { HubState } from "../actors/hub/hubKind.js"
import type { Journal } from "../events/Journal.js"
import type { Access } from "./Access.js"
import { sendJson } from "./respond.js"

export interface ProbeServices {
  readonly access: Access
  readonly journal: Journal["Type"]
  readonly hub: () => HubState
  /** False for a ledger that goes with the process. */
  readonly isLasting: boolean
  /** Notes a read in the audit log. */
  readonly audit: (event: string, fields: { readonly [field: string]: unknown }) => void
  /** Whether the journal takes writes. */
  readonly isWritable: () => boolean
  readonly marks: () => { readonly listed: number; readonly claimed: number }
}

const paths: ReadonlySet<string> = new Set(["/livez", "/readyz", "/healthz"])

export const isProbe = (path: string): boolean => paths.has(path)

/** Answers a probe at once, or comes back with the work of it. */
export const probe = (
  { access, hub, isWritable, isLasting, marks, journal, audit }: ProbeServices,
  request: IncomingMessage,
  response: ServerResponse,
  path: string
): Effect.Effect<void> | undefined => {
  const { name, context } = hub()
  const isReady = name === "ready" && isWritable()
  const status = path === "/livez" || isReady ? 200 : 503
  if (!access.isTrusted(request)) return void sendJson(response, status, { ok: status === 200 })
  const { bootId, pid, readyAt } = context
  if (path === "/livez") return void sendJson(response, 200, { ok: true, bootId })
  if (path === "/healthz") {
    const { listed, claimed } = marks()
    const store = isLasting ? "sqlite" : "memory"
    audit("healthz", { ok: isReady, store })
    const replayedAt = isLasting ? readyAt : null
    const body = { ok: isReady, store, replayedAt, pheromones: listed, claims: claimed }
    return void sendJson(response, status, body)
  }
  return journal.head.pipe(
    Effect.map(({ offset }) => offset),
    Effect.catchAll(() => Effect.succeed(null)),
    Effect.map((offset) => sendJson(response, status, { ready: isReady, state: name, bootId, pid, offset }))
  )
}
