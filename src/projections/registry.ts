/**
 * Who there is: a row for each peer and one for each of its presences (contracts: peers 5). A peer that was removed has none; a
 * presence that is no longer declared keeps its row, as `undeclared`, and is not listed.
 */
import { idOf, kindOf, type RecordedEvent, type StreamId } from "../events/Event.js"
import type { Projection, Row } from "./Projection.js"

type Data = { readonly [key: string]: unknown }

const keptTopics = 16
const keptDeaths = 16

const statusOf = (state: string): string => {
  if (state.startsWith("live.") || state === "ending") return "live"
  return state === "stopped" ? "stopped" : "asleep"
}

/** What a presence's row begins with, also when a namesake is registered. */
const freshPresence = {
  session_id: null,
  queue_depth: 0,
  in_flight: null,
  eager: 0,
  streak: 0,
  /** Host, pid, mode, cause and the rest that no query asks for by itself, as JSON. */
  detail: JSON.stringify({ topics: [], deaths: [], lastEnd: null })
}

const detailOf = (row: Row): Data => JSON.parse(row.detail as string)
const withDetail = (row: Row, more: Data): Row => ({
  ...row,
  detail: JSON.stringify({ ...detailOf(row), ...more })
})
const number = (value: unknown): number => Number(value ?? 0)
const listOf = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

const reducePeer = (
  row: Row | undefined,
  { type, data, state, at, offset }: RecordedEvent
): Row | undefined => {
  switch (type) {
    case "PeerRegistered":
      return {
        ...freshPresence,
        detail: JSON.stringify(data),
        restart: String(data.restart),
        state,
        since: at,
        incarnation: offset
      }
    case "PeerAmended": {
      const changes = data.changes as Data
      return row && { ...withDetail(row, changes), restart: String(changes.restart ?? row.restart) }
    }
    case "PeerRemovalBegun":
      return row && { ...row, state, since: at }
    default:
      return undefined
  }
}

const reducePresence = (row: Row, event: RecordedEvent): Row => {
  const { type, data, at, offset } = event
  switch (type) {
    case "PresenceDeclared": {
      const isSame = row.incarnation === data.incarnation && row.state !== "undeclared"
      const kept = isSame ? row : { ...row, ...freshPresence }
      const declared = { restart: String(data.restart), incarnation: data.incarnation as number }
      return withDetail({ ...kept, ...declared }, { resume: data.resume, wake: data.wake })
    }
    case "PresenceStopped":
      // One that is up has not stopped yet: its end takes the promise back, unless it is started before that.
      return event.state === "stopped" ? { ...row, eager: 0 } : row
    case "WakeRequested":
      return data.trigger === "renew" ? { ...row, eager: 1 } : row
    case "WakeModeChosen":
      return withDetail(
        { ...row, session_id: data.sessionId as string },
        {
          decision: offset,
          bootMs: data.bootMs,
          idleMs: data.idleMs,
          quietMs: data.quietMs,
          host: data.host,
          mode: data.mode,
          cause: data.cause,
          pid: null,
          lastActiveAt: at,
          ...(data.mode === "fresh" && { topics: [] })
        }
      )
    case "SessionSpawned":
      return withDetail(row, { pid: data.pid })
    case "SessionReady":
      return withDetail(
        { ...row, eager: 0 },
        { lastActiveAt: at, readyAt: at, ...(detailOf(row).mode === "fresh" && { freshNext: false }) }
      )
    case "ActivityObserved":
      return withDetail(row, {
        lastActiveAt: Math.max(number(detailOf(row).lastActiveAt), number(data.activeAt))
      })
    case "SessionAttached":
    case "SessionInterrupted":
    case "SessionCompacted":
      return withDetail(row, { lastActiveAt: at })
    case "WorkerFinished": {
      const { idleMs, quietMs } = detailOf(row)
      return withDetail(row, { lastActiveAt: at, idleMs: quietMs ?? idleMs })
    }
    case "FreshNextArmed":
      return withDetail(row, { freshNext: true })
    case "SessionEnded":
    case "WakeFailed":
      return endSession(row, event)
    case "CrashLoopCleared":
      return withDetail(row, { heldUntil: null, ...(data.by === "operator" && { deaths: [] }) })
    case "MessageAccepted":
      return withDetail({ ...row, queue_depth: number(row.queue_depth) + 1 }, { lastActiveAt: at })
    case "DeliveryAttempted":
      return noteTopic({ ...row, in_flight: data.messageId as string }, data.topic)
    case "DeliveryConfirmed":
      return settle(withDetail(row, { lastActiveAt: at }), data, data.late !== true)
    case "DeliveryUnconfirmed":
      return settle(row, data, data.final === true)
    case "MessageFailed":
      return settle(row, data, true)
    case "PresenceRetired":
      return { ...row, ...freshPresence }
    default:
      return { ...row, offset }
  }
}

/** A message that is dealt with waits no more. Late evidence is for one that had been given up. */
const settle = (row: Row, { messageId }: Data, isDone: boolean): Row => ({
  ...row,
  in_flight: row.in_flight === messageId ? null : (row.in_flight ?? null),
  queue_depth: isDone ? Math.max(0, number(row.queue_depth) - 1) : number(row.queue_depth)
})

/** Whether a fresh start is promised after an end. A stop takes the promise back. */
const eagerAfter = (row: Row, { data, state }: RecordedEvent): number => {
  if (state === "stopped" || state === "undeclared") return 0
  return data.reason === "renew" || data.reason === "self-fresh" ? 1 : number(row.eager)
}

const endSession = (row: Row, event: RecordedEvent): Row => {
  const { type, data, at, offset, state } = event
  const { deaths, lastEnd: _, ...detail } = detailOf(row)
  const { reason, initiator, code, signal, disposition, streak } = data
  return {
    ...row,
    ...(state === "undeclared" && freshPresence),
    session_id: null,
    in_flight: null,
    eager: eagerAfter(row, event),
    streak: number(streak),
    detail: JSON.stringify({
      ...detail,
      ...(type === "WakeFailed" && { decision: offset }),
      pid: null,
      deaths: data.death ? [...listOf(deaths), { offset, at }].slice(-keptDeaths) : listOf(deaths),
      heldUntil: data.heldUntil ?? null,
      restartAt: state === "restarting" ? at + number(data.restartInMs) : null,
      lastEnd: { type, at, offset, reason, initiator, code, signal, disposition }
    })
  }
}

const noteTopic = (row: Row, topic: unknown): Row => {
  const topics = listOf(detailOf(row).topics)
  if (typeof topic !== "string" || topics.includes(topic)) return row
  return withDetail(row, { topics: [...topics, topic].slice(-keptTopics) })
}

export const registry: Projection = {
  name: "registry",
  version: 2,
  columns: {
    key: "TEXT",
    kind: "TEXT",
    name: "TEXT",
    personality: "TEXT",
    state: "TEXT",
    status: "TEXT",
    since: "INTEGER",
    incarnation: "INTEGER",
    restart: "TEXT",
    session_id: "TEXT",
    queue_depth: "INTEGER",
    in_flight: "TEXT",
    eager: "INTEGER",
    streak: "INTEGER",
    detail: "TEXT",
    offset: "INTEGER"
  },
  indexes: ["(personality, kind)", "(kind, name)"],
  keys: ({ stream }) => (kindOf(stream) === "peer" || kindOf(stream) === "presence" ? [stream] : []),
  streamOf: (key) => key as StreamId,
  reduce: (row, event, key) => {
    const { stream, state, at, offset } = event
    const kind = kindOf(stream)
    const name = idOf(stream)
    const personality = kind === "peer" ? name : name.slice(name.indexOf("-") + 1)
    const before = row ?? {
      ...freshPresence,
      state: "undeclared",
      since: at,
      incarnation: null,
      restart: null
    }
    const after = kind === "peer" ? reducePeer(row, event) : reducePresence(before, event)
    if (!after) return undefined
    return {
      ...after,
      key,
      kind,
      name,
      personality,
      state,
      status: statusOf(state),
      since: row?.state === state ? (row.since as number) : at,
      offset
    }
  }
}
