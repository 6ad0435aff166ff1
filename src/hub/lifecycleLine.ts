/** What the lifecycle log says of an event: one line for each decision about a session (contracts: peers 6). */
import { parseIdentity } from "../actors/peer/Identity.js"
import type { PresenceEvent, PresenceEventOf } from "../actors/presence/PresenceEvent.js"
import type { RefusalEntry } from "../actors/RefusalFeed.js"
import { dataOf, idOf, kindOf, type RecordedEvent } from "../events/Event.js"
import { type Fields, logfmt } from "./logfmt.js"

type Data<Type extends PresenceEvent["type"]> = Omit<PresenceEventOf<Type>, "type">

/** Causes of a fresh start that somebody asked for had one word in the old system. */
const folderLaunches: ReadonlySet<string> = new Set(["renew", "eager-fresh", "operator-fresh"])

/** Undefined for an event that the log says nothing of. `isNewTopic` is asked about a topic that a session gets. */
export const lifecycleLine = (
  event: RecordedEvent,
  isNewTopic: (sessionId: string, topic: string) => boolean
): string | undefined => {
  if (kindOf(event.stream) !== "presence") return undefined
  const fields = fieldsOf(event, isNewTopic)
  return fields && logfmt([["ts", timeOf(event.at)], ...fields, ["offset", event.offset]])
}

/** A start that was refused: no event, so no offset. */
export const refusalLine = ({ at, kind, command, stream, reason }: RefusalEntry): string | undefined => {
  const isWake = command === "WakePresence" || command === "RenewPresence"
  if (kind !== "presence" || !isWake || stream === undefined) return undefined
  const { _tag, ...detail } = reason
  const fields: Fields = [
    ["mode", "refused"],
    ["cause", _tag],
    ["reason", JSON.stringify(detail)]
  ]
  return logfmt([["ts", timeOf(at)], ...wakeOf(stream.slice("presence/".length)), ...fields])
}

export const aliveLine = (identity: string, at: number, ageMs: number): string =>
  logfmt([
    ["ts", timeOf(at)],
    ["ev", "supervise"],
    ["identity", identity],
    ["action", "alive"],
    ["age", `${Math.floor(ageMs / 1_000)}s`]
  ])

const timeOf = (at: number): string => new Date(at).toISOString()

const wakeOf = (identity: string): Fields => {
  const { personality, runtime } = parseIdentity(identity) ?? {}
  return [
    ["ev", "wake"],
    ["personality", personality],
    ["identity", identity],
    ["runtime", runtime]
  ]
}

const fieldsOf = (
  event: RecordedEvent,
  isNewTopic: (sessionId: string, topic: string) => boolean
): Fields | undefined => {
  const { stream, type, state } = event
  const identity = idOf(stream)
  const plain = (ev: string): Fields => [
    ["ev", ev],
    ["identity", identity],
    ["action", ev]
  ]
  switch (type) {
    case "WakeModeChosen": {
      const { mode, cause, resumeRef, topic } = dataOf<Data<"WakeModeChosen">>(event)
      const isLaunch = folderLaunches.has(cause)
      return [
        ...wakeOf(identity),
        ["mode", mode],
        ["cause", isLaunch ? "folder-launch" : cause],
        ["why", isLaunch ? cause : null],
        ["ref", resumeRef],
        ["topic", topic]
      ]
    }
    case "WakeFailed": {
      const { reason, detail } = dataOf<Data<"WakeFailed">>(event)
      return [...wakeOf(identity), ["mode", "fail"], ["cause", reason], ["reason", detail]]
    }
    case "SessionEnded":
      return endOf(identity, dataOf<Data<"SessionEnded">>(event), state)
    case "PresenceStopped":
      return plain("stopped")
    case "PresenceStarted":
      return plain("started")
    case "SessionReady": {
      const { sessionId, afterMs } = dataOf<Data<"SessionReady">>(event)
      return [
        ["ev", "ready"],
        ["identity", identity],
        ["session", sessionId],
        ["after", `${afterMs}ms`]
      ]
    }
    case "SessionAttached":
      return [
        ["ev", "attach"],
        ["identity", identity]
      ]
    case "DeliveryAttempted": {
      const { sessionId, topic } = dataOf<Data<"DeliveryAttempted">>(event)
      if (topic === null || !isNewTopic(sessionId, topic)) return undefined
      return [
        ["ev", "topic-note"],
        ["identity", identity],
        ["topic", topic]
      ]
    }
    default:
      return undefined
  }
}

const ageOf = (idleForMs: number | null): string | null =>
  idleForMs === null ? null : `${Math.floor(idleForMs / 1_000)}s`

const endOf = (identity: string, end: Data<"SessionEnded">, state: string): Fields | undefined => {
  const { reason, code, signal, death, idleForMs, restartInMs, heldUntil } = end
  const supervise: Fields = [
    ["ev", "supervise"],
    ["identity", identity]
  ]
  switch (reason) {
    case "idle":
      return [
        ...supervise,
        ["action", "reaped-idle"],
        ["age", ageOf(idleForMs)],
        ["outcome", state === "asleep.parked" ? "resume-eligible" : state]
      ]
    case "renew":
    case "self-fresh":
      return [...supervise, ["action", "needs-eager-fresh"], ["reason", reason], ["outcome", "eager-fresh"]]
    case "ephemeral-done":
    case "ephemeral-unarmed":
      return [...supervise, ["action", "reaped-ephemeral"], ["age", ageOf(idleForMs)], ["outcome", reason]]
    case "stop":
      // The stop itself has its line.
      return undefined
    default: {
      const how = signal !== null ? `signal ${signal}` : code !== null ? `exit ${code}` : "unknown"
      const isRestart = state === "restarting"
      const outcomes: { readonly [state: string]: string } = {
        restarting: "restart",
        crashLoop: "crash-loop",
        undeclared: "removed"
      }
      return [
        ...supervise,
        ["action", "reaped-gone"],
        ["death", death ? (reason === "exit" ? "session-gone" : reason) : null],
        ["reason", reason === "exit" || reason === "boot-timeout" ? how : reason],
        ["outcome", outcomes[state] ?? "fresh-next-msg"],
        ["restart-in", isRestart ? `${restartInMs}ms` : null],
        ["crash-loop", heldUntil === null ? null : timeOf(heldUntil)]
      ]
    }
  }
}
