/**
 * A peer's reply to the message that told it of its turn: it claims the role for the peer, if the peer does not hold it yet, and completes
 * the claim with what was said (contracts: peers 3.5). A reply that comes twice is done once.
 */
import { Effect } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import type { ClaimKind } from "../actors/claim/claimKind.js"
import { formatIdentity, type Identity } from "../actors/peer/Identity.js"
import type { PresenceKind } from "../actors/presence/presenceKind.js"
import { isOf } from "../actors/run/roleOffers.js"
import { claimOf, turnOf } from "../actors/run/rolePeers.js"
import type { Offset } from "../events/Event.js"
import { findClaim } from "../projections/claimQueries.js"
import type { Projector } from "../projections/Projector.js"

export interface Reply {
  readonly messageId: string
  readonly body: string
  readonly replyTo?: string | undefined
}

export interface RoleAnswerServices {
  readonly system: ActorSystem["Type"]
  readonly claimKind: ClaimKind
  readonly presenceKind: PresenceKind
  readonly projector: Projector["Type"]
}

/** Why it was refused, or undefined when it was taken. */
export const answerRole = (
  { system, claimKind, presenceKind, projector }: RoleAnswerServices,
  from: Identity,
  { messageId, body, replyTo = "" }: Reply
): Effect.Effect<string | undefined> =>
  Effect.gen(function* () {
    const turn = turnOf(replyTo)
    if (!turn) return "UnknownPeer"
    const by = formatIdentity(from)
    const id = claimOf(turn)
    const row = yield* Effect.orDie(findClaim(projector.read, id))
    if (row?.stance !== `@${from.personality}`) return "NotAllowed"
    // Whoever answers a message has it.
    const confirm = { type: "ConfirmDelivery", messageId: replyTo, evidence: "reply" } as const
    yield* Effect.ignore(system.send(presenceKind, by, confirm, { by }))
    const commandId = `answer:${by}:${messageId}`
    const isTheirs = row.state === "held" && row.peer !== null && isOf(from.personality, row.peer)
    const claim = system.send(
      claimKind,
      id,
      { type: "ClaimWork", peer: by },
      { by, commandId: `${commandId}:claim` }
    )
    const token = isTheirs
      ? (row.token as Offset)
      : ((yield* claim).events.find(({ type }) => type === "ClaimGranted")?.offset as Offset)
    yield* system.send(claimKind, id, { type: "CompleteClaim", token, result: body }, { by, commandId })
    return undefined
  }).pipe(Effect.catchTag("Refused", ({ reason }) => Effect.succeed<string | undefined>(reason._tag)))
