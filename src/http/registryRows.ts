/** Rows of the registry and of messages, as they are shown. */
import type { Registration } from "../actors/peer/PeerEvent.js"
import type { StoredActor, StoredMessage } from "../projections/registryQueries.js"
import type { StoredServer } from "../projections/serverQueries.js"
import type { MessageRow, PeerRow, PresenceRow, ServerRow } from "./peersApi.js"

/** What a presence's row says besides its columns. */
export interface PresenceDetail {
  readonly host?: string
  readonly pid?: number | null
  readonly mode?: string
  readonly cause?: string
  readonly decision?: number
  readonly bootMs?: number
  readonly idleMs?: number | null
  readonly lastActiveAt?: number
  readonly topics?: ReadonlyArray<string>
  readonly deaths?: ReadonlyArray<{ readonly offset: number; readonly at: number }>
  readonly heldUntil?: number | null
  readonly restartAt?: number | null
  readonly freshNext?: boolean
  readonly lastEnd?: { readonly type: string; readonly at: number; readonly offset: number } | null
}

export const detailOf = ({ detail }: StoredActor): PresenceDetail => JSON.parse(detail) as PresenceDetail

/** How long deaths count. */
export interface Window {
  readonly now: number
  readonly deathWindowMs: number
}

export const toPresenceRow = (row: StoredActor, { now, deathWindowMs }: Window): PresenceRow => {
  const detail = detailOf(row)
  return {
    kind: "presence",
    identity: row.name,
    personality: row.personality,
    runtime: row.name.slice(0, row.name.indexOf("-")),
    incarnation: row.incarnation,
    state: row.state,
    status: row.status,
    since: row.since,
    host: detail.host ?? null,
    sessionId: row.session_id,
    pid: detail.pid ?? null,
    mode: detail.mode ?? null,
    cause: detail.cause ?? null,
    lastActiveAt: detail.lastActiveAt ?? null,
    topics: detail.topics ?? [],
    queueDepth: row.queue_depth,
    inFlight: row.in_flight,
    deathsInWindow: (detail.deaths ?? []).filter((death) => death.at > now - deathWindowMs).length,
    heldUntil: row.state === "crashLoop" ? (detail.heldUntil ?? null) : null,
    restartAt: row.state === "restarting" ? (detail.restartAt ?? null) : null,
    freshNext: detail.freshNext ?? false,
    lastEnd: detail.lastEnd ?? null,
    offset: row.offset
  }
}

/** Other agents are not told where a peer lives, nor what it is started with. */
export const toPeerRow = (row: StoredActor, isOperator: boolean): PeerRow => {
  const { personality, runtimes, defaultRuntime, intelligence, description, restart, resume, wake, ...own } =
    JSON.parse(row.detail) as Registration
  return {
    kind: "peer",
    personality,
    state: row.state,
    since: row.since,
    incarnation: row.incarnation,
    runtimes,
    defaultRuntime,
    intelligence,
    description,
    restart,
    resume,
    wake,
    cwd: isOperator ? own.cwd : null,
    launch: isOperator ? own.launch : null,
    seedPrompt: isOperator ? own.seedPrompt : null,
    interfaces: isOperator ? own.interfaces : null,
    offset: row.offset
  }
}

export const toServerRow = ({ heard_at: _, metadata, ...row }: StoredServer): ServerRow => ({
  kind: "server",
  ...row,
  metadata: metadata === null ? null : (JSON.parse(metadata) as unknown)
})

export const toMessageRow = (row: StoredMessage): typeof MessageRow.Type => ({
  messageId: row.message_id,
  to: row.recipient,
  from: row.sender,
  topic: row.topic,
  replyTo: row.reply_to,
  sentAt: row.sent_at,
  state: row.state,
  evidence: row.evidence,
  reason: row.reason,
  acceptedAt: row.accepted_at,
  settledAt: row.settled_at,
  offset: row.offset
})
