/**
 * The life of a claim, from a mark that somebody leaves to work that is settled (contracts: ledger 3). No state is final: a
 * mark can always be published again.
 */
import { assign, cancel, raise, setup } from "xstate"
import type { Offset } from "../../events/Event.js"
import { due, type Recorded } from "../fold.js"
import type { ClaimEvent, ClaimEventOf, Holder } from "./ClaimEvent.js"

/** What the rules need of a mark. The record itself stays in the journal and in the projection. */
export interface Mark {
  /** Of the deposit that holds the record. */
  readonly offset: Offset
  readonly stanceTarget: string
  readonly baseIntensity: number
  readonly decayRate: number
}

export interface ClaimContext {
  readonly mark: Mark | null
  readonly publishedAt: number
  readonly inflations: number
  /** Of the deposit that listed the mark; its place in the list. */
  readonly firstOffset: Offset | null
  readonly holder: Holder | null
  /** Offset of the newest grant or transfer: rises over all claims, so a later holding always has the larger one. */
  readonly token: Offset | null
  /** Null while held for ever or bound. */
  readonly ttlMs: number | null
  readonly graceMs: number
  readonly grantedAt: number
  readonly leaseFrom: number
  readonly offer: { readonly to: string; readonly until: number } | null
  readonly attempts: number
  readonly maxAttempts: number | null
  /** Until then ClaimNext skips the mark. */
  readonly notBefore: number
  /** Finished for good: it cannot be claimed again, whatever becomes of its mark. */
  readonly settled: boolean
  readonly outcome: "completed" | "failed" | "exhausted" | null
  readonly lastEnd: { readonly token: Offset; readonly type: string } | null
}

export type ClaimStateName =
  | "unmarked"
  | "open"
  | "held.active"
  | "held.grace"
  | "held.offered"
  | "done"
  | "evaporated"

const initialContext: ClaimContext = {
  mark: null,
  publishedAt: 0,
  inflations: 0,
  firstOffset: null,
  holder: null,
  token: null,
  ttlMs: null,
  graceMs: 0,
  grantedAt: 0,
  leaseFrom: 0,
  offer: null,
  attempts: 0,
  maxAttempts: null,
  notBefore: 0,
  settled: false,
  outcome: null,
  lastEnd: null
}

type MachineEvent = Recorded<ClaimEvent>
type Of<Type extends ClaimEvent["type"]> = Recorded<ClaimEventOf<Type>>

export const isForever = ({ holder, ttlMs }: ClaimContext): boolean =>
  holder !== null && ttlMs === null && holder.boundTo === undefined

/** Set and used up: no further grant is to be had by trying again. */
export const isExhausted = ({ attempts, maxAttempts }: ClaimContext): boolean =>
  maxAttempts !== null && attempts >= maxAttempts

const numberOr0 = (value: unknown): number => (typeof value === "number" ? value : 0)

const deposit = (context: ClaimContext, event: Of<"PheromoneDeposited">): Partial<ClaimContext> => ({
  mark: {
    offset: event.offset,
    stanceTarget: String(event.record.stanceTarget ?? ""),
    baseIntensity: numberOr0(event.record.baseIntensity),
    decayRate: numberOr0(event.record.decayRate)
  },
  publishedAt: event.publishedAt ?? event.at,
  inflations: numberOr0(event.record.inflations),
  maxAttempts: event.maxAttempts ?? null,
  firstOffset: context.mark ? context.firstOffset : event.offset
})

const lease = (
  { peer, instance, boundTo }: Holder,
  event: Recorded<{ readonly ttlMs: number | null; readonly graceMs: number }>
): Partial<ClaimContext> => ({
  holder: { peer, ...(instance !== undefined && { instance }), ...(boundTo !== undefined && { boundTo }) },
  token: event.offset,
  ttlMs: event.ttlMs,
  graceMs: event.graceMs,
  grantedAt: event.at,
  leaseFrom: event.at,
  offer: null
})

const grant = (context: ClaimContext, event: Of<"ClaimGranted">): Partial<ClaimContext> => ({
  ...lease(event, event),
  attempts: context.attempts + 1,
  notBefore: 0,
  outcome: null,
  lastEnd: null
})

const end = ({ type, token }: { readonly type: string; readonly token: Offset }): Partial<ClaimContext> => ({
  holder: null,
  offer: null,
  lastEnd: { token, type }
})

const settle = (outcome: ClaimContext["outcome"]): Partial<ClaimContext> => ({ settled: true, outcome })

const reopen: Partial<ClaimContext> = { settled: false, attempts: 0, outcome: null, lastEnd: null }

/** The mark is gone; what was claimed for ever stays claimed, so finished work is never claimed twice. */
const evaporate: Partial<ClaimContext> = { mark: null, firstOffset: null, inflations: 0, maxAttempts: null }

/** The event of a deadline, from what is known when it is armed; `decideClaim` adds what is known when it is due. */
const graceStarts = ({ token }: ClaimContext) =>
  due<ClaimEventOf<"ClaimGraceStarted">>({
    type: "ClaimGraceStarted",
    token: token as Offset,
    cause: "deadline"
  })
const expires = ({ token }: ClaimContext) =>
  due<ClaimEventOf<"ClaimExpired">>({ type: "ClaimExpired", token: token as Offset, overdueMs: 0 })
const lapses = ({ token, offer }: ClaimContext) =>
  due<ClaimEventOf<"HandoffLapsed">>({ type: "HandoffLapsed", token: token as Offset, to: offer?.to ?? "" })

export const claimMachine = setup({
  types: { context: {} as ClaimContext, events: {} as MachineEvent },
  guards: {
    isMarked: ({ context }) => context.mark !== null,
    isSettled: ({ context }) => context.settled,
    isNotSettled: ({ context }) => !context.settled,
    isExhausted: ({ context }) => isExhausted(context),
    isMarkedAndForever: ({ context }) => context.mark !== null && isForever(context),
    isSweptAndHeld: ({ context }) => context.settled && context.holder !== null,
    mayBeTriedAgain: ({ context, event }) =>
      event.type === "ClaimFailed" && event.retry && !isExhausted(context),
    mayBeTriedAgainUnmarked: ({ context, event }) =>
      event.type === "ClaimFailed" && event.retry && !isExhausted(context) && context.mark === null
  },
  delays: {
    /** A lease that is for ever or bound to a presence has no end of its own. */
    ttl: ({ context: { ttlMs } }) => ttlMs ?? Number.POSITIVE_INFINITY,
    grace: ({ context }) => context.graceMs,
    offer: ({ event }) => (event.type === "HandoffOffered" ? event.offerMs : 0)
  },
  actions: {
    armLease: raise(({ context }) => graceStarts(context), { id: "lease", delay: "ttl" }),
    cancelLease: cancel("lease"),
    armGrace: raise(({ context }) => expires(context), { id: "grace", delay: "grace" }),
    cancelGrace: cancel("grace"),
    armOffer: raise(({ context }) => lapses(context), { id: "offer", delay: "offer" }),
    cancelOffer: cancel("offer")
  }
}).createMachine({
  id: "claim",
  context: initialContext,
  initial: "unmarked",
  // A mark may be published anew and inflated at any time; neither moves a lease. Two states have more to say of it.
  on: {
    PheromoneDeposited: { actions: assign(({ context, event }) => deposit(context, event)) },
    PheromoneInflated: {
      guard: "isMarked",
      actions: assign(({ context }) => ({ inflations: context.inflations + 1 }))
    }
  },
  states: {
    unmarked: {
      description: "no mark and no holder",
      on: {
        PheromoneDeposited: {
          target: "open",
          actions: assign(({ context, event }) => deposit(context, event))
        },
        ClaimGranted: {
          target: "held",
          actions: assign(({ context, event }) => grant(context, event))
        }
      }
    },
    open: {
      description: "a mark that anybody may claim",
      on: {
        ClaimGranted: {
          target: "held",
          actions: assign(({ context, event }) => grant(context, event))
        },
        PheromoneEvaporated: { target: "evaporated", actions: assign(evaporate) }
      }
    },
    held: {
      description: "one peer owns the work, under the newest token",
      initial: "active",
      on: {
        ClaimTransferred: {
          target: ".active",
          reenter: true,
          actions: assign(({ event }) => lease(event.to, event))
        },
        ClaimReleased: [
          {
            guard: "isMarked",
            target: "open",
            actions: assign(({ context, event }) => ({ ...end(event), attempts: context.attempts - 1 }))
          },
          {
            target: "unmarked",
            actions: assign(({ context, event }) => ({ ...end(event), attempts: context.attempts - 1 }))
          }
        ],
        ClaimRevoked: [
          { guard: "isMarked", target: "open", actions: assign(({ event }) => end(event)) },
          { target: "unmarked", actions: assign(({ event }) => end(event)) }
        ],
        ClaimFailed: [
          {
            guard: "mayBeTriedAgainUnmarked",
            target: "unmarked",
            actions: assign(({ event }) => ({ ...end(event), notBefore: event.at + event.retryAfterMs }))
          },
          {
            guard: "mayBeTriedAgain",
            target: "open",
            actions: assign(({ event }) => ({ ...end(event), notBefore: event.at + event.retryAfterMs }))
          },
          {
            target: "done",
            actions: assign(({ event }) => ({
              ...end(event),
              ...settle(event.retry ? "exhausted" : "failed")
            }))
          }
        ],
        ClaimCompleted: {
          target: "done",
          actions: assign(({ event }) => ({ ...end(event), ...settle("completed") }))
        }
      },
      states: {
        active: {
          description: "the lease runs; a claim without a ttl never ends by itself",
          entry: "armLease",
          exit: "cancelLease",
          on: {
            ClaimRenewed: {
              target: "active",
              reenter: true,
              actions: assign(({ event }) => ({ leaseFrom: event.at }))
            },
            ClaimGraceStarted: "grace",
            HandoffOffered: {
              target: "offered",
              actions: assign(({ event }) => ({
                offer: { to: event.to, until: event.at + event.offerMs }
              }))
            },
            PheromoneEvaporated: {
              guard: "isMarkedAndForever",
              target: "#claim.evaporated",
              actions: assign({ ...evaporate, settled: true })
            }
          }
        },
        grace: {
          description: "the lease is over, but only the holder may act",
          entry: "armGrace",
          exit: "cancelGrace",
          on: {
            ClaimRenewed: { target: "active", actions: assign(({ event }) => ({ leaseFrom: event.at })) },
            ClaimExpired: [
              {
                guard: "isExhausted",
                target: "#claim.done",
                actions: assign(({ event }) => ({ ...end(event), ...settle("exhausted") }))
              },
              { guard: "isMarked", target: "#claim.open", actions: assign(({ event }) => end(event)) },
              { target: "#claim.unmarked", actions: assign(({ event }) => end(event)) }
            ],
            HandoffOffered: {
              target: "offered",
              actions: assign(({ event }) => ({
                offer: { to: event.to, until: event.at + event.offerMs }
              }))
            }
          }
        },
        offered: {
          description: "a handoff is under way; until it is accepted the holder keeps the claim",
          entry: "armOffer",
          exit: "cancelOffer",
          on: {
            ClaimGraceStarted: { target: "grace", actions: assign({ offer: null }) },
            HandoffDeclined: {
              target: "active",
              actions: assign(({ event }) => ({ offer: null, leaseFrom: event.at }))
            },
            HandoffWithdrawn: {
              target: "active",
              actions: assign(({ event }) => ({ offer: null, leaseFrom: event.at }))
            },
            HandoffLapsed: {
              target: "active",
              actions: assign(({ event }) => ({ offer: null, leaseFrom: event.at }))
            }
          }
        }
      }
    },
    done: {
      description: "settled: finished, failed for good or out of attempts",
      on: {
        PheromoneEvaporated: { guard: "isMarked", target: "evaporated", actions: assign(evaporate) },
        ClaimReopened: [
          { guard: "isMarked", target: "open", actions: assign(reopen) },
          { target: "unmarked", actions: assign(reopen) }
        ]
      }
    },
    evaporated: {
      description: "the mark is gone; a settled claim stays settled",
      on: {
        PheromoneDeposited: [
          {
            guard: "isSettled",
            target: "done",
            actions: assign(({ context, event }) => deposit(context, event))
          },
          {
            target: "open",
            actions: assign(({ context, event }) => ({ ...deposit(context, event), attempts: 0 }))
          }
        ],
        ClaimGranted: {
          guard: "isNotSettled",
          target: "held",
          actions: assign(({ context, event }) => grant(context, event))
        },
        ClaimReopened: {
          guard: "isSettled",
          actions: assign({ settled: false, holder: null })
        },
        ClaimCompleted: {
          guard: "isSweptAndHeld",
          actions: assign(({ event }) => ({ ...end(event), outcome: "completed" as const }))
        }
      }
    }
  }
})
