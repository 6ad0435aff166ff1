/** How a claim ends: its holder gives it back, finishes or fails it, or an operator takes it away or opens it again. */
import { accept, refuse, unchanged } from "../ActorKind.js"
import { type ClaimContext, isSweptWhileHeld } from "./ClaimContext.js"
import {
  asHolder,
  type ClaimCommandOf,
  type ClaimDecision,
  heldContext,
  refuseOther,
  refuseStale
} from "./ClaimDecision.js"
import type { ClaimEventOf } from "./ClaimEvent.js"
import type { ClaimState } from "./ClaimIndex.js"

/** A failed claim is offered again after this, doubled with every attempt, at most (contracts: ledger 3.3). */
const firstRetryMs = 5_000
const maxRetryMs = 300_000

type EndCommand = ClaimCommandOf<"ReleaseClaim" | "CompleteClaim" | "FailClaim">

export const decideEnd = (
  state: ClaimState,
  command: EndCommand | ClaimCommandOf<"RevokeClaim" | "ReopenClaim">
): ClaimDecision => {
  switch (command.type) {
    case "ReleaseClaim":
    case "CompleteClaim":
    case "FailClaim":
      return end(state, command)
    case "RevokeClaim":
      return revoke(state, command)
    case "ReopenClaim":
      return state.context.settled
        ? accept({ type: "ClaimReopened", reason: command.reason })
        : refuse({ _tag: "NotDone", state: state.name })
  }
}

/** A repeat of the end that came last is no event: its sender only did not hear the answer. */
const end = (state: ClaimState, command: EndCommand): ClaimDecision => {
  const { context } = state
  const event = endEvent(context, command)
  const { lastEnd, token } = context
  if (lastEnd?.token === command.token && lastEnd.type === event.type) return unchanged
  const completesSwept =
    isSweptWhileHeld(context) && token === command.token && event.type === "ClaimCompleted"
  if (completesSwept) return refuseOther(context, command.holder) ?? accept(event)
  return asHolder(state, command, () => accept(event))
}

const endEvent = (
  { attempts }: ClaimContext,
  command: EndCommand
): ClaimEventOf<"ClaimReleased"> | ClaimEventOf<"ClaimCompleted"> | ClaimEventOf<"ClaimFailed"> => {
  const { token } = command
  switch (command.type) {
    case "ReleaseClaim":
      return { type: "ClaimReleased", token, reason: command.reason ?? null }
    case "CompleteClaim": {
      const { summary = null, result = null, evidence = [] } = command
      return { type: "ClaimCompleted", token, summary, result, evidence }
    }
    case "FailClaim": {
      const backOffMs = Math.min(maxRetryMs, firstRetryMs * 2 ** Math.max(0, attempts - 1))
      const { reason, retry = true, retryAfterMs = backOffMs } = command
      return { type: "ClaimFailed", token, reason, retry, retryAfterMs }
    }
  }
}

const revoke = (
  state: ClaimState,
  { reason, token: expected }: ClaimCommandOf<"RevokeClaim">
): ClaimDecision => {
  const { name, context } = state
  const held = heldContext(state)
  if (!held) {
    const { lastEnd } = context
    const isRepeat = expected !== undefined && lastEnd?.token === expected && lastEnd.type === "ClaimRevoked"
    return isRepeat ? unchanged : refuse({ _tag: "NotHeld", state: name })
  }
  if (expected !== undefined && expected !== held.token) return refuseStale(state, expected)
  return accept({ type: "ClaimRevoked", token: held.token, reason })
}
