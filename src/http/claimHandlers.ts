/** The routes of claims: each a command to the kind, or a query to its projection (contracts: ledger 5.5). */
import { Effect } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import type { Outcome } from "../actors/CommandQueue.js"
import type { ClaimCommand } from "../actors/claim/ClaimCommand.js"
import type { ClaimState } from "../actors/claim/ClaimIndex.js"
import type { ClaimKind } from "../actors/claim/claimKind.js"
import { decodeMark, isValidId, type MarkFault } from "../actors/claim/decodeMark.js"
import { intensity } from "../actors/claim/intensity.js"
import { expiresAt } from "../actors/claim/Lease.js"
import type { Refused } from "../actors/Refused.js"
import { idOf, type Offset } from "../events/Event.js"
import { findClaim, listClaims, type StoredClaim } from "../projections/claimQueries.js"
import type { ClaimRow } from "./api.js"
import { type Clockwork, type Moment, momentOf } from "./asOf.js"
import type { Caller } from "./Identities.js"
import type { MarkRules } from "./MarkRules.js"
import { type AnyReason, refusal } from "./refusals.js"
import type { CallFailure, Handlers } from "./serve.js"
import { holderOf, peerOf, takingBy } from "./speaking.js"

export interface ClaimServices extends Clockwork {
  readonly system: ActorSystem["Type"]
  readonly kind: ClaimKind
  /** Set where agents are known by their tokens. */
  readonly marks: MarkRules | undefined
}

type ClaimHandlers = Pick<
  Handlers,
  | "deposit"
  | "claimNext"
  | "claim"
  | "renew"
  | "verify"
  | "release"
  | "complete"
  | "fail"
  | "reclaim"
  | "offerHandoff"
  | "acceptHandoff"
  | "declineHandoff"
  | "withdrawHandoff"
  | "revoke"
  | "reopen"
  | "inflate"
  | "evaporate"
  | "list"
  | "show"
>

/** An outcome whose state is a claim's. */
type ClaimOutcome = Outcome & { readonly state: ClaimState }

/** What every call of these routes holds besides its own. */
interface Asking {
  readonly commandId: string | undefined
  readonly caller: Caller
}

export const makeClaimHandlers = (services: ClaimServices): ClaimHandlers => {
  const { system, kind, journal, marks } = services

  /** Whoever has shown no token is whom it names, or whoever has shown this token of a claim, or an operator. */
  const send = (
    id: string | undefined,
    command: ClaimCommand,
    { commandId, caller: { name } }: Asking,
    waitMs?: number
  ): Effect.Effect<ClaimOutcome, CallFailure> => {
    const by = name ?? ("peer" in command ? command.peer : tokenOf(command))
    return system.send(kind, id, command, { by, commandId, waitMs }) as Effect.Effect<
      ClaimOutcome,
      CallFailure
    >
  }

  const moved = (id: string | undefined, command: ClaimCommand, call: Asking) =>
    Effect.map(send(id, command, call), ({ stream, state }) => ({
      id: idOf(stream),
      state: state.name,
      version: state.version,
      offset: state.offset
    }))

  const granted = ({ stream, state, at }: ClaimOutcome) => {
    const { token, attempts, ttlMs, graceMs, holder } = state.context
    return {
      id: idOf(stream),
      token: token as Offset,
      attempt: attempts,
      ttlMs,
      graceMs,
      expiresAt: expiresAt(state.context, system.floorAt()),
      boundTo: holder?.boundTo ?? null,
      now: at,
      offset: state.offset
    }
  }

  return {
    deposit: (call) => {
      const { record, maxAttempts, expectedVersion } = call.payload
      const mark = decodeMark(record)
      if (typeof mark === "string") {
        return refusal({ _tag: "InvalidCommand", ...faults[mark] })
      }
      const admitted = marks?.admit(mark, call.caller) ?? { mark }
      if (!("mark" in admitted)) return refusal(admitted)
      const command = {
        type: "DepositPheromone",
        record: admitted.mark,
        maxAttempts,
        expectedVersion
      } as const
      return moved(String(mark.id), command, call)
    },
    claimNext: (call) => {
      const { waitMs, ...fields } = call.payload
      return Effect.gen(function* () {
        const taking = yield* takingBy(fields, call.caller)
        const outcome = yield* send(undefined, { type: "ClaimNext", ...taking }, call, waitMs)
        const { mark } = outcome.state.context
        const [deposit] = mark ? yield* journal.read((mark.offset - 1) as Offset, 1) : []
        const score = Number(outcome.events[0]?.data.score)
        return { ...granted(outcome), record: deposit?.data.record ?? null, score }
      })
    },
    claim: (call) => {
      const { path, payload } = call
      // A preclaim begins a stream, so its id must be one that a mark may have.
      if (payload.preclaim && !isValidId(path.id)) {
        return refusal({ _tag: "InvalidCommand", ...faults["invalid id"], path: "id" })
      }
      return takingBy(payload, call.caller).pipe(
        Effect.flatMap((taking) => send(path.id, { type: "ClaimWork", ...taking }, call)),
        Effect.map(granted)
      )
    },
    reclaim: (call) => {
      const { isBound, isOperator } = call.caller
      if (call.payload.force && isBound && !isOperator) {
        return refusal({ _tag: "NotAllowed", need: "operator" })
      }
      return takingBy(call.payload, call.caller).pipe(
        Effect.flatMap((taking) => send(call.path.id, { type: "ReclaimWork", ...taking }, call)),
        Effect.map(granted)
      )
    },
    acceptHandoff: (call) =>
      takingBy(call.payload, call.caller).pipe(
        Effect.flatMap((taking) => send(call.path.id, { type: "AcceptHandoff", ...taking }, call)),
        Effect.map(granted)
      ),
    renew: (call) =>
      Effect.map(
        send(call.path.id, { type: "RenewClaim", ...call.payload, ...holderOf(call.caller) }, call),
        ({ state, events, at }) => ({
          token: state.context.token as Offset,
          expiresAt: expiresAt(state.context, system.floorAt()),
          recorded: events.length > 0,
          now: at
        })
      ),
    verify: (call) =>
      Effect.map(send(call.path.id, { type: "VerifyClaim", ...call.payload }, call), ({ state, at }) => ({
        token: state.context.token as Offset,
        state: state.name,
        expiresAt: expiresAt(state.context, system.floorAt()),
        now: at
      })),
    release: (call) =>
      moved(call.path.id, { type: "ReleaseClaim", ...call.payload, ...holderOf(call.caller) }, call),
    complete: (call) =>
      moved(call.path.id, { type: "CompleteClaim", ...call.payload, ...holderOf(call.caller) }, call),
    fail: (call) =>
      moved(call.path.id, { type: "FailClaim", ...call.payload, ...holderOf(call.caller) }, call),
    offerHandoff: (call) =>
      moved(call.path.id, { type: "OfferHandoff", ...call.payload, ...holderOf(call.caller) }, call),
    declineHandoff: (call) =>
      Effect.flatMap(peerOf(call.payload, call.caller), (peer) =>
        moved(call.path.id, { type: "DeclineHandoff", peer }, call)
      ),
    withdrawHandoff: (call) =>
      moved(call.path.id, { type: "WithdrawHandoff", ...call.payload, ...holderOf(call.caller) }, call),
    revoke: (call) => moved(call.path.id, { type: "RevokeClaim", ...call.payload }, call),
    reopen: (call) => moved(call.path.id, { type: "ReopenClaim", ...call.payload }, call),
    inflate: (call) => {
      const reason = marks?.inflate(call.path.id, call.caller)
      return reason ? refusal(reason) : moved(call.path.id, { type: "InflatePheromone" }, call)
    },
    evaporate: (call) => moved(call.path.id, { type: "EvaporatePheromone", ...call.payload }, call),
    list: ({ urlParams: { at, cursor, limit = 100, ...filter } }) =>
      Effect.gen(function* () {
        const after = cursor === undefined ? 0 : yield* parseCursor(cursor)
        const moment = yield* momentOf(services, "claims", at)
        const found = yield* listClaims(moment.read, { ...filter, limit, after }, moment.now)
        const isFull = found.length === limit && filter.sort !== "intensity"
        return {
          offset: moment.offset,
          now: moment.now,
          rows: found.map((stored) => toRow(stored, moment, system.floorAt())),
          next: isFull ? String(found.at(-1)?.offset) : null
        }
      }).pipe(Effect.scoped),
    show: ({ path: { id }, urlParams: { at } }) =>
      Effect.gen(function* () {
        const moment = yield* momentOf(services, "claims", at)
        const stored = yield* findClaim(moment.read, id)
        if (!stored) return yield* refusal({ _tag: "UnknownClaim", id })
        return toRow(stored, moment, system.floorAt())
      }).pipe(Effect.scoped)
  }
}

/** What the old ledger's words for a record's faults mean (contracts: ledger 2.1). */
const faults: { readonly [Fault in MarkFault]: { readonly path: string; readonly problem: string } } = {
  "missing id": { path: "record.id", problem: "must be a string that is not empty" },
  "invalid id": {
    path: "record.id",
    problem: "must be at most 512 bytes of UTF-8 without control characters, and neither . nor .."
  },
  stanceTarget: { path: "record.stanceTarget", problem: "must be a string of at most 1,024 bytes" },
  baseIntensity: { path: "record.baseIntensity", problem: "must be a finite number" },
  decayRate: { path: "record.decayRate", problem: "must be a finite number of 0 or more" },
  seq: { path: "record.seq", problem: "must be a finite number" },
  inflations: { path: "record.inflations", problem: "must be an integer of 0 or more" }
}

const tokenOf = (command: ClaimCommand): string =>
  "token" in command && command.token !== undefined ? `token:${command.token}` : "operator"

const parseCursor = (cursor: string): Effect.Effect<number, Refused<AnyReason>> =>
  /^\d{1,15}$/.test(cursor)
    ? Effect.succeed(Number(cursor))
    : refusal({ _tag: "InvalidCommand", path: "cursor", problem: "must be the `next` of a page" })

const toRow = (stored: StoredClaim, { now, isPast }: Moment, floorAt: number): ClaimRow => {
  const { base, decay, published_at: publishedAt, inflations } = stored
  const isMarked = base !== null && decay !== null && publishedAt !== null
  return {
    id: stored.id,
    state: stored.state,
    record: stored.record === null ? null : JSON.parse(stored.record),
    publishedAt,
    inflations,
    intensity: isMarked
      ? intensity({ baseIntensity: base, decayRate: decay, publishedAt, inflations }, now)
      : null,
    holder:
      stored.peer === null
        ? null
        : { peer: stored.peer, instance: stored.instance, boundTo: stored.bound_to },
    token: stored.token,
    grantedAt: stored.peer === null ? null : stored.granted_at,
    expiresAt: endOf(stored, isPast ? 0 : floorAt),
    graceUntil: stored.grace_until,
    offer:
      stored.offer_to === null || stored.offer_until === null
        ? null
        : { to: stored.offer_to, until: stored.offer_until },
    attempt: stored.attempts,
    maxAttempts: stored.max_attempts,
    notBefore: stored.not_before,
    outcome: stored.outcome,
    version: stored.version,
    offset: stored.offset
  }
}

/** The end of a running lease, as a grant names it. */
const endOf = ({ peer, lease_from, ttl_ms, grace_ms }: StoredClaim, floorAt: number): number | null =>
  peer === null || lease_from === null
    ? null
    : expiresAt({ ttlMs: ttl_ms, leaseFrom: lease_from, graceMs: grace_ms ?? 0 }, floorAt)
