/**
 * The life of a claim, from a mark that somebody leaves to work that is settled (contracts: ledger 3). No state is final: a
 * mark can always be published again.
 */
import { assign, cancel, raise, setup } from "xstate"
import type { Offset } from "../../events/Event.js"
import { due, type Recorded } from "../fold.js"
import {
  type ClaimContext,
  deposited,
  ended,
  evaporated,
  failedForNow,
  granted,
  inflated,
  initialContext,
  isExhausted,
  isForever,
  isMarked,
  isSweptWhileHeld,
  offered,
  released,
  renewed,
  reopened,
  settled,
  transferred
} from "./ClaimContext.js"
import type { ClaimEvent, ClaimEventOf } from "./ClaimEvent.js"

export type ClaimStateName =
  | "unmarked"
  | "open"
  | "held.active"
  | "held.grace"
  | "held.offered"
  | "done"
  | "evaporated"

/** The event of a deadline, from what is known when it is armed; `claimKind` adds what is known when it is due. */
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
  types: { context: {} as ClaimContext, events: {} as Recorded<ClaimEvent> },
  guards: {
    isMarked: ({ context }) => isMarked(context),
    isSettled: ({ context }) => context.settled,
    isNotSettled: ({ context }) => !context.settled,
    isExhausted: ({ context }) => isExhausted(context),
    isMarkedAndForever: ({ context }) => isMarked(context) && isForever(context),
    isSweptWhileHeld: ({ context }) => isSweptWhileHeld(context),
    mayBeTriedAgain: ({ context, event }) =>
      event.type === "ClaimFailed" && event.retry && !isExhausted(context),
    mayBeTriedAgainUnmarked: ({ context, event }) =>
      event.type === "ClaimFailed" && event.retry && !isExhausted(context) && !isMarked(context)
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
    PheromoneDeposited: { actions: assign(({ context, event }) => deposited(context, event)) },
    PheromoneInflated: { guard: "isMarked", actions: assign(({ context }) => inflated(context)) }
  },
  states: {
    unmarked: {
      description: "no mark and no holder",
      on: {
        PheromoneDeposited: {
          target: "open",
          actions: assign(({ context, event }) => deposited(context, event))
        },
        ClaimGranted: {
          target: "held",
          actions: assign(({ context, event }) => granted(context, event))
        }
      }
    },
    open: {
      description: "a mark that anybody may claim",
      on: {
        ClaimGranted: {
          target: "held",
          actions: assign(({ context, event }) => granted(context, event))
        },
        PheromoneEvaporated: { target: "evaporated", actions: assign(evaporated) }
      }
    },
    held: {
      description: "one peer owns the work, under the newest token",
      initial: "active",
      on: {
        ClaimTransferred: {
          target: ".active",
          reenter: true,
          actions: assign(({ event }) => transferred(event))
        },
        ClaimReleased: [
          {
            guard: "isMarked",
            target: "open",
            actions: assign(({ context, event }) => released(context, event))
          },
          { target: "unmarked", actions: assign(({ context, event }) => released(context, event)) }
        ],
        ClaimRevoked: [
          { guard: "isMarked", target: "open", actions: assign(({ event }) => ended(event)) },
          { target: "unmarked", actions: assign(({ event }) => ended(event)) }
        ],
        ClaimFailed: [
          {
            guard: "mayBeTriedAgainUnmarked",
            target: "unmarked",
            actions: assign(({ event }) => failedForNow(event))
          },
          {
            guard: "mayBeTriedAgain",
            target: "open",
            actions: assign(({ event }) => failedForNow(event))
          },
          {
            target: "done",
            actions: assign(({ event }) => settled(event, event.retry ? "exhausted" : "failed"))
          }
        ],
        ClaimCompleted: { target: "done", actions: assign(({ event }) => settled(event, "completed")) }
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
              actions: assign(({ event }) => renewed(event))
            },
            ClaimGraceStarted: "grace",
            HandoffOffered: { target: "offered", actions: assign(({ event }) => offered(event)) },
            PheromoneEvaporated: {
              guard: "isMarkedAndForever",
              target: "#claim.evaporated",
              actions: assign({ ...evaporated, settled: true })
            }
          }
        },
        grace: {
          description: "the lease is over, but only the holder may act",
          entry: "armGrace",
          exit: "cancelGrace",
          on: {
            ClaimRenewed: { target: "active", actions: assign(({ event }) => renewed(event)) },
            ClaimExpired: [
              {
                guard: "isExhausted",
                target: "#claim.done",
                actions: assign(({ event }) => settled(event, "exhausted"))
              },
              { guard: "isMarked", target: "#claim.open", actions: assign(({ event }) => ended(event)) },
              { target: "#claim.unmarked", actions: assign(({ event }) => ended(event)) }
            ],
            HandoffOffered: { target: "offered", actions: assign(({ event }) => offered(event)) }
          }
        },
        offered: {
          description: "a handoff is under way; until it is accepted the holder keeps the claim",
          entry: "armOffer",
          exit: "cancelOffer",
          on: {
            ClaimGraceStarted: { target: "grace", actions: assign({ offer: null }) },
            HandoffDeclined: { target: "active", actions: assign(({ event }) => renewed(event)) },
            HandoffWithdrawn: { target: "active", actions: assign(({ event }) => renewed(event)) },
            HandoffLapsed: { target: "active", actions: assign(({ event }) => renewed(event)) }
          }
        }
      }
    },
    done: {
      description: "settled: finished, failed for good or out of attempts",
      on: {
        PheromoneEvaporated: { guard: "isMarked", target: "evaporated", actions: assign(evaporated) },
        ClaimReopened: [
          { guard: "isMarked", target: "open", actions: assign(reopened) },
          { target: "unmarked", actions: assign(reopened) }
        ],
        // Its mark was swept while it was held for ever, and was published again since.
        ClaimCompleted: {
          guard: "isSweptWhileHeld",
          actions: assign(({ event }) => settled(event, "completed"))
        }
      }
    },
    evaporated: {
      description: "the mark is gone; a settled claim stays settled",
      on: {
        PheromoneDeposited: [
          {
            guard: "isSettled",
            target: "done",
            actions: assign(({ context, event }) => deposited(context, event))
          },
          {
            target: "open",
            actions: assign(({ context, event }) => ({ ...deposited(context, event), attempts: 0 }))
          }
        ],
        ClaimGranted: {
          guard: "isNotSettled",
          target: "held",
          actions: assign(({ context, event }) => granted(context, event))
        },
        ClaimReopened: { guard: "isSettled", actions: assign(reopened) },
        ClaimCompleted: {
          guard: "isSweptWhileHeld",
          actions: assign(({ event }) => settled(event, "completed"))
        }
      }
    }
  }
})
