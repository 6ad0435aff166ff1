/**
 * The reflex that tells a peer of its turn (contracts: senses and workflows 3.4, peers 3.5): when a role is offered to it, and again when
 * it had the turn and gave it back or ran out of time. The message wakes it. A peer that cannot be told ends the attempt.
 */
import { Effect } from "effect"
import { dataOf, idOf, kindOf, type RecordedEvent } from "../../events/Event.js"
import type { JournalUnavailable } from "../../events/Journal.js"
import type { ActorKind } from "../ActorKind.js"
import { formatIdentity, type Identity } from "../peer/Identity.js"
import type { PresenceCommandOf } from "../presence/PresenceCommand.js"
import type { PresenceEventOf } from "../presence/PresenceEvent.js"
import type { Reflex, ReflexCommand } from "../Reflex.js"
import { type Offer, type OfferPayload, offerOf, toRun } from "./roleOffers.js"
import type { RunKind } from "./runKind.js"

/** A mark that offers a role, and how often it was granted. */
export interface OfferedMark {
  readonly payload: OfferPayload
  readonly grants: number
}

export interface PeerTurns {
  readonly runKind: RunKind
  readonly presenceKind: ActorKind
  /** Undefined when the mark is gone. */
  readonly markOf: (claim: string) => Effect.Effect<OfferedMark | undefined, JournalUnavailable>
  /** Where a peer is to be reached; undefined when there is no such peer. */
  readonly identityOf: (peer: string, runtime: string | undefined) => Identity | undefined
}

const none: ReadonlyArray<ReflexCommand> = []
/** Of a message, in UTF-16 units (contracts: peers 2). */
const maxBody = 16_000

/** Names a turn in the id of its message: it is the same for every attempt to deliver it. */
const turnId = ({ runId, round, attempt }: Offer, time: number): string =>
  `${runId}:${round}:${attempt}${time > 1 ? `:${time}` : ""}`

/** The turn that a message is about, by the message's id. */
export const turnOf = (messageId: string): Offer | undefined => {
  const [, runId, round, attempt] = /^([^:]+):(\d+):(\d+)(?::\d+)?$/.exec(messageId) ?? []
  return runId === undefined ? undefined : { runId, round: Number(round), attempt: Number(attempt) }
}

export const claimOf = ({ runId, round, attempt }: Offer): string => `role:${runId}:${round}:${attempt}`

export const rolePeers = (turns: PeerTurns): Reflex => ({
  name: "rolePeers",
  on: new Set(["PheromoneDeposited", "ClaimExpired", "ClaimReleased", "ClaimFailed", "MessageFailed"]),
  rule: (event) => {
    if (kindOf(event.stream) === "presence") return failed(turns, event)
    const offer = offerOf(event)
    if (!offer || event.state === "done") return none
    return Effect.map(turns.markOf(idOf(event.stream)), (mark) =>
      mark?.payload.peer === undefined ? none : [tell(turns, offer, mark, event.type)]
    )
  }
})

const tell = (
  turns: PeerTurns,
  offer: Offer,
  { payload, grants }: OfferedMark,
  cause: string
): ReflexCommand => {
  const { peer = "", runtime } = payload
  const identity = turns.identityOf(peer, runtime)
  const cannot = (why: string) =>
    endAttempt(turns, offer, `${peer} cannot be told that it is its turn: ${why}`)
  if (!identity) return cannot("there is no such peer")
  const command: PresenceCommandOf<"SendMessage"> = {
    type: "SendMessage",
    messageId: turnId(offer, cause === "PheromoneDeposited" ? 1 : grants + 1),
    from: { personality: "hub", runtime: "hub", intelligence: "absent" },
    topic: `run/${offer.runId}`,
    body: bodyOf(offer, payload)
  }
  return {
    kind: turns.presenceKind,
    id: formatIdentity(identity),
    command,
    target: "turn",
    onRefused: ({ _tag }) => cannot(_tag)
  }
}

const bodyOf = (offer: Offer, { ask, role, workflow, leaseMs }: OfferPayload): string => {
  const end = [
    "",
    "--",
    `Your turn as ${role} in ${workflow}, run ${offer.runId}, round ${offer.round}.`,
    `Reply to this message, or claim ${claimOf(offer)} (for ${leaseMs / 1_000} s) and complete it: your answer is the step.`
  ].join("\n")
  return `${ask.slice(0, maxBody - end.length - 1)}\n${end}`
}

/** It never heard of its turn: its session could not be started, or it was removed. */
const failed = (turns: PeerTurns, event: RecordedEvent): ReturnType<Reflex["rule"]> => {
  const { messageId, reason } = dataOf<PresenceEventOf<"MessageFailed">>(event)
  const offer = turnOf(messageId)
  if (!offer) return none
  return Effect.map(turns.markOf(claimOf(offer)), (mark) =>
    mark?.payload.peer === undefined
      ? none
      : [endAttempt(turns, offer, `the message to ${mark.payload.peer} failed: ${reason}`)]
  )
}

const endAttempt = (turns: PeerTurns, offer: Offer, message: string): ReflexCommand => {
  const { round, attempt } = offer
  return toRun(turns, offer, {
    type: "RecordRoleError",
    round,
    attempt,
    error: { message },
    retryable: false
  })
}
