/**
 * What a claim command leads to: the rules of contracts: ledger 3.3, 4 and 4.1 as one pure function from state and command to
 * facts or a refusal. The machine has the last word on whether a fact is admissible.
 */
import { idOf, type Offset } from "../../events/Event.js"
import { accept, type Choice, type DecideContext, type Decision, refuse, unchanged } from "../ActorKind.js"
import type { ClaimCommand } from "./ClaimCommand.js"
import type { ClaimEvent, Holder } from "./ClaimEvent.js"
import { type ClaimIndex, type ClaimState, openMark, type Selection, scoreOf } from "./ClaimIndex.js"
import type { ClaimReason } from "./ClaimRefusal.js"
import { type ClaimContext, isForever } from "./claimMachine.js"
import { intensity } from "./intensity.js"

/** What the rules of claims can be configured with (`ledger.*`). */
export interface ClaimRules {
  readonly defaultTtlMs: number
  readonly defaultGraceMs: number
  /** Timed and bound claims that a peer may hold; undefined for any number. */
  readonly maxHeldPerPeer: number | undefined
  /** Stances that may be published; undefined for any. */
  readonly stances: ReadonlySet<string> | undefined
}

/** What a decision looks at besides the claim itself. */
interface World extends DecideContext {
  readonly rules: ClaimRules
  readonly index: ClaimIndex
}

type Decided = Decision<ClaimEvent, ClaimReason>
type Command<Type extends ClaimCommand["type"]> = Extract<ClaimCommand, { readonly type: Type }>

/** Defaults of single commands (contracts: ledger 3.3, 4). */
const defaultOfferMs = 60_000
const firstRetryMs = 5_000
const maxRetryMs = 300_000

export const decideClaim = (state: ClaimState, command: ClaimCommand, world: World): Decided => {
  if (state.version === 0 && !createsClaim(command))
    return refuse({ _tag: "UnknownClaim", id: idOf(state.stream) })
  switch (command.type) {
    case "DepositPheromone":
      return depositPheromone(state, command, world)
    case "InflatePheromone":
      return inflatePheromone(state, world)
    case "EvaporatePheromone":
      return evaporatePheromone(state, command, world)
    case "ClaimWork":
      return claimWork(state, command, world)
    case "ClaimNext":
      return claimNext(state, command, world)
    case "AcceptHandoff":
      return asAddressee(state, command.peer, (claim) =>
        transfer(claim, command, { cause: "handoff" }, world)
      )
    case "ReclaimWork":
      return reclaimWork(state, command, world)
    case "RenewClaim":
      return asHolder(state, command.token, () => renewClaim(state, world))
    case "VerifyClaim":
      return state.context.holder && state.context.token === command.token
        ? unchanged
        : staleToken(state, command.token)
    case "ReleaseClaim":
    case "CompleteClaim":
    case "FailClaim":
      return endClaim(state, command)
    case "OfferHandoff": {
      const { token, to, offerMs = defaultOfferMs } = command
      return asHolder(state, token, () => accept({ type: "HandoffOffered", token, to, offerMs }))
    }
    case "WithdrawHandoff": {
      const { token } = command
      return asHolder(state, token, ({ offer }) =>
        offer ? accept({ type: "HandoffWithdrawn", token, to: offer.to }) : noOffer(state)
      )
    }
    case "DeclineHandoff":
      return asAddressee(state, command.peer, ({ token }) =>
        accept({ type: "HandoffDeclined", token, to: command.peer })
      )
    case "RevokeClaim":
      return revokeClaim(state, command)
    case "ReopenClaim":
      return state.context.settled
        ? accept({ type: "ClaimReopened", reason: command.reason })
        : refuse({ _tag: "NotDone", state: state.name })
  }
}

/** The claim that a ClaimNext is for: the strongest open mark that it wants, at this very instant. */
export const chooseClaim = (command: ClaimCommand, world: World): Choice<ClaimReason> => {
  if (command.type !== "ClaimNext") throw new Error(`${command.type} needs a claim's id`)
  const denied = denyLease(command, world)
  if (denied) return refuse(denied)
  const best = world.index.strongest(selectionOf(command), world.now)
  return best ? { _tag: "Choose", id: best.id } : { _tag: "Wait", reason: { _tag: "NoneOpen" } }
}

/** Whether a claim's new state is one that a waiting ClaimNext may take. */
export const wakesClaimNext = (command: ClaimCommand, state: ClaimState, now: number): boolean => {
  const mark = openMark(state)
  return (
    command.type === "ClaimNext" && mark !== null && scoreOf(mark, selectionOf(command), now) !== undefined
  )
}

const createsClaim = (command: ClaimCommand): boolean =>
  command.type === "DepositPheromone" || (command.type === "ClaimWork" && command.preclaim === true)

const depositPheromone = (
  { version }: ClaimState,
  { record, maxAttempts, expectedVersion }: Command<"DepositPheromone">,
  { rules: { stances } }: World
): Decided => {
  if (expectedVersion !== undefined && expectedVersion !== version) {
    return refuse({ _tag: "VersionConflict", current: version })
  }
  const stanceTarget = String(record.stanceTarget)
  if (stances && !stances.has(stanceTarget)) return refuse({ _tag: "StanceUnknown", stanceTarget })
  return accept({ type: "PheromoneDeposited", record, ...(maxAttempts !== undefined && { maxAttempts }) })
}

const inflatePheromone = ({ stream, context }: ClaimState, { now }: World): Decided =>
  context.mark
    ? accept({ type: "PheromoneInflated", intensity: intensityOf(context, now) + 1 })
    : refuse({ _tag: "UnknownClaim", id: idOf(stream) })

/** A sweep acts only on a claim to which nothing has happened since it looked; an operator on any that nobody leases. */
const evaporatePheromone = (
  state: ClaimState,
  { reason, sweep }: Command<"EvaporatePheromone">,
  { now }: World
): Decided => {
  const { context, name, version, stream } = state
  if (sweep && sweep.expectedVersion !== version) return unchanged
  if (!context.mark) return refuse({ _tag: "UnknownClaim", id: idOf(stream) })
  if (name.startsWith("held.") && !(name === "held.active" && isForever(context)))
    return alreadyClaimed(state)
  return accept({
    type: "PheromoneEvaporated",
    intensity: intensityOf(context, now),
    reason: sweep?.cause ?? "operator",
    ...(sweep && { floor: sweep.floor }),
    ...(reason !== undefined && { note: reason })
  })
}

const claimWork = (state: ClaimState, command: Command<"ClaimWork">, world: World): Decided => {
  const { context, name, stream } = state
  if (name.startsWith("held.")) {
    // Two processes of one peer must not both believe that they own it: without the same instance it is somebody else.
    const isSame = context.holder?.peer === command.peer && context.holder.instance === command.instance
    return isSame && command.instance !== undefined ? unchanged : alreadyClaimed(state)
  }
  if (context.settled) return refuse({ _tag: "AlreadyDone", outcome: context.outcome })
  if (!context.mark && !command.preclaim) return refuse({ _tag: "UnknownClaim", id: idOf(stream) })
  const denied = denyLease(command, world)
  if (denied) return refuse(denied)
  return accept({ ...granted(context, command, world), ...(!context.mark && { preclaim: true }) })
}

const claimNext = (
  { context, ...state }: ClaimState,
  command: Command<"ClaimNext">,
  world: World
): Decided => {
  const mark = openMark({ context, ...state })
  const score = mark && scoreOf(mark, selectionOf(command), world.now)
  if (score === null || score === undefined) throw new Error(`${state.stream} was chosen and is not open`)
  return accept({ ...granted(context, command, world), score })
}

/** Renewals within a third of the lease are coalesced: the end that was named still holds, and "still alive" is no event. */
const renewClaim = ({ name, context }: ClaimState, { now }: World): Decided => {
  const { ttlMs, leaseFrom, token } = context
  const runsOut =
    name === "held.grace" || (name === "held.active" && ttlMs !== null && now - leaseFrom >= ttlMs / 3)
  return runsOut ? accept({ type: "ClaimRenewed", token: token as Offset }) : unchanged
}

const endClaim = (
  state: ClaimState,
  command: Command<"ReleaseClaim"> | Command<"CompleteClaim"> | Command<"FailClaim">
): Decided => {
  const { context, name } = state
  const event = endEvent(context, command)
  const { lastEnd, holder, token } = context
  if (holder === null && lastEnd?.token === command.token && lastEnd.type === event.type) return unchanged
  const isSweptAndHeld = name === "evaporated" && holder !== null && token === command.token
  if (isSweptAndHeld && event.type === "ClaimCompleted") return accept(event)
  return asHolder(state, command.token, () => accept(event))
}

const endEvent = (
  { attempts }: ClaimContext,
  command: Command<"ReleaseClaim"> | Command<"CompleteClaim"> | Command<"FailClaim">
): Extract<ClaimEvent, { type: "ClaimReleased" | "ClaimCompleted" | "ClaimFailed" }> => {
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

const reclaimWork = (state: ClaimState, command: Command<"ReclaimWork">, world: World): Decided => {
  const { context, name } = state
  if (!name.startsWith("held.") || !context.holder) return refuse({ _tag: "NotHeld", state: name })
  if (context.token !== command.expectedToken) return refuse({ _tag: "TokenChanged", current: context.token })
  if (name !== "held.grace" && !command.force) {
    return refuse({
      _tag: "HolderLive",
      by: context.holder.peer,
      expiresAt: expiresAt(context, world.floorAt)
    })
  }
  return transfer(state.context as HeldContext, command, { cause: "reclaim", reason: command.reason }, world)
}

const revokeClaim = (state: ClaimState, { reason, token: expected }: Command<"RevokeClaim">): Decided => {
  const { name, context } = state
  const { token, lastEnd } = context
  if (!name.startsWith("held.") || token === null) {
    const isRepeat = expected !== undefined && lastEnd?.token === expected && lastEnd.type === "ClaimRevoked"
    return isRepeat ? unchanged : refuse({ _tag: "NotHeld", state: name })
  }
  if (expected !== undefined && expected !== token) return staleToken(state, expected)
  return accept({ type: "ClaimRevoked", token, reason })
}

/** The context of a claim that somebody holds. */
type HeldContext = ClaimContext & { readonly holder: Holder; readonly token: Offset }

const asHolder = (state: ClaimState, token: Offset, decide: (held: HeldContext) => Decided): Decided =>
  state.name.startsWith("held.") && state.context.token === token
    ? decide(state.context as HeldContext)
    : staleToken(state, token)

const asAddressee = (state: ClaimState, peer: string, decide: (held: HeldContext) => Decided): Decided => {
  const { offer } = state.context
  if (state.name !== "held.offered" || !offer) return noOffer(state)
  if (offer.to !== peer) return refuse({ _tag: "NotAddressee", to: offer.to })
  return decide(state.context as HeldContext)
}

type LeaseRequest = Pick<Command<"ClaimWork">, "peer" | "instance" | "ttlMs" | "graceMs" | "boundTo">

/** Why a peer may not have another lease, if so. Nothing is a live presence yet, so no claim can be bound to one. */
const denyLease = (
  { peer, ttlMs, boundTo }: LeaseRequest,
  { rules, index }: World
): ClaimReason | undefined => {
  if (boundTo !== undefined) return { _tag: "PresenceNotLive", presence: boundTo }
  const limit = rules.maxHeldPerPeer
  const held = index.heldBy(peer)
  if (limit === undefined || ttlMs === null || held < limit) return undefined
  return { _tag: "QuotaReached", held, limit }
}

const leaseOf = (
  { peer, instance, ttlMs, graceMs }: LeaseRequest,
  { rules }: World
): { readonly holder: Holder; readonly ttlMs: number | null; readonly graceMs: number } => ({
  holder: { peer, ...(instance !== undefined && { instance }) },
  ttlMs: ttlMs === undefined ? rules.defaultTtlMs : ttlMs,
  graceMs: graceMs ?? rules.defaultGraceMs
})

const granted = ({ attempts }: ClaimContext, request: LeaseRequest, world: World) => {
  const { holder, ttlMs, graceMs } = leaseOf(request, world)
  return { type: "ClaimGranted", ...holder, ttlMs, graceMs, attempt: attempts + 1 } as const
}

const transfer = (
  held: HeldContext,
  request: LeaseRequest,
  why: { readonly cause: "handoff" | "reclaim"; readonly reason?: string },
  world: World
): Decided => {
  const denied = denyLease(request, world)
  if (denied) return refuse(denied)
  const { holder, ttlMs, graceMs } = leaseOf(request, world)
  const { holder: from, token: previousToken } = held
  return accept({ type: "ClaimTransferred", from, to: holder, previousToken, ttlMs, graceMs, ...why })
}

const selectionOf = ({ stances, minScore = 0, prefix = "" }: Command<"ClaimNext">): Selection => ({
  weights:
    stances && new Map(isList(stances) ? stances.map((stance) => [stance, 1]) : Object.entries(stances)),
  minScore,
  prefix
})

const isList = (value: unknown): value is ReadonlyArray<string> => Array.isArray(value)

const intensityOf = ({ mark, publishedAt, inflations }: ClaimContext, now: number): number =>
  mark ? intensity({ ...mark, publishedAt, inflations }, now) : 0

/**
 * The earliest instant at which the lease can end, null unless it is timed. After a restart or a clock jump no lease ends
 * before one grace has passed (contracts: hub 3.7).
 */
export const expiresAt = (
  { ttlMs, leaseFrom, graceMs }: Pick<ClaimContext, "ttlMs" | "leaseFrom" | "graceMs">,
  floorAt: number
): number | null => {
  if (ttlMs === null) return null
  return leaseFrom < floorAt ? Math.max(leaseFrom + ttlMs, floorAt + graceMs) : leaseFrom + ttlMs
}

const alreadyClaimed = ({ context, name }: ClaimState): Decided => {
  const { peer, instance } = context.holder as Holder
  return refuse({
    _tag: "AlreadyClaimed",
    by: peer,
    ...(instance !== undefined && { instance }),
    token: context.token as Offset,
    since: context.grantedAt,
    expiresAt: expiresAt(context, 0),
    state: name
  })
}

const staleToken = ({ context, name }: ClaimState, given: Offset): Decided =>
  refuse({ _tag: "StaleToken", given, current: context.token, state: name })

const noOffer = ({ name }: ClaimState): Decided => refuse({ _tag: "NoOffer", state: name })
