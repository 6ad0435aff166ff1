import { describe, expect, it } from "@effect/vitest"
import type { ClaimEvent } from "../../../src/actors/claim/ClaimEvent.js"
import {
  completed,
  declined,
  deposited,
  evaporated,
  expired,
  failed,
  graceStarted,
  granted,
  inflated,
  lapsed,
  offered,
  released,
  renewed,
  reopened,
  revoked,
  transferred,
  withdrawn
} from "../../support/claimFacts.js"
import { given, type Story } from "../../support/claimStory.js"

const forever = granted("anonymous", { ttlMs: null, graceMs: 0 })

/** Every situation that a guard of the machine tells apart. The token is 2 throughout. */
const situations = {
  unmarked: given(deposited(), evaporated(), granted(), released(3)),
  open: given(deposited()),
  active: given(deposited(), granted()),
  activeForever: given(deposited(), forever),
  activePreclaim: given(granted("ann", { preclaim: true })),
  grace: given(deposited(), granted(), graceStarted()),
  gracePreclaim: given(granted(), graceStarted(1)),
  graceExhausted: given(deposited({}, { maxAttempts: 1 }), granted(), graceStarted()),
  offered: given(deposited(), granted(), offered()),
  exhausted: given(deposited({}, { maxAttempts: 1 }), granted()),
  done: given(deposited(), granted(), completed()),
  donePreclaim: given(granted(), completed(1)),
  doneSwept: given(deposited(), forever, evaporated(), deposited()),
  evaporated: given(deposited(), evaporated()),
  evaporatedDone: given(deposited(), granted(), completed(), evaporated()),
  evaporatedHeld: given(deposited(), forever, evaporated())
} as const
type Situation = keyof typeof situations
const names = Object.keys(situations) as ReadonlyArray<Situation>
const held = names.filter((name) => situations[name].state.name.startsWith("held."))

const all: Record<ClaimEvent["type"], ClaimEvent> = {
  PheromoneDeposited: deposited(),
  PheromoneInflated: inflated(),
  PheromoneEvaporated: evaporated(),
  ClaimGranted: granted(),
  ClaimRenewed: renewed(),
  ClaimGraceStarted: graceStarted(),
  ClaimExpired: expired(),
  ClaimReleased: released(),
  ClaimCompleted: completed(),
  ClaimFailed: failed(),
  ClaimRevoked: revoked(),
  ClaimReopened: reopened(),
  ClaimTransferred: transferred(),
  HandoffOffered: offered(),
  HandoffDeclined: declined(),
  HandoffWithdrawn: withdrawn(),
  HandoffLapsed: lapsed()
}

/** Where each event leads from each situation (contracts: ledger 3.2); from those that are not listed, nowhere. */
const transitions: Record<ClaimEvent["type"], Partial<Record<Situation, string>>> = {
  PheromoneDeposited: {
    unmarked: "open",
    open: "open",
    active: "held.active",
    activeForever: "held.active",
    activePreclaim: "held.active",
    grace: "held.grace",
    gracePreclaim: "held.grace",
    graceExhausted: "held.grace",
    offered: "held.offered",
    exhausted: "held.active",
    done: "done",
    donePreclaim: "done",
    doneSwept: "done",
    evaporated: "open",
    evaporatedDone: "done",
    evaporatedHeld: "done"
  },
  PheromoneInflated: {
    open: "open",
    active: "held.active",
    activeForever: "held.active",
    grace: "held.grace",
    graceExhausted: "held.grace",
    offered: "held.offered",
    exhausted: "held.active",
    done: "done",
    doneSwept: "done"
  },
  PheromoneEvaporated: {
    open: "evaporated",
    activeForever: "evaporated",
    done: "evaporated",
    doneSwept: "evaporated"
  },
  ClaimGranted: { unmarked: "held.active", open: "held.active", evaporated: "held.active" },
  ClaimRenewed: {
    active: "held.active",
    activeForever: "held.active",
    activePreclaim: "held.active",
    exhausted: "held.active",
    grace: "held.active",
    gracePreclaim: "held.active",
    graceExhausted: "held.active"
  },
  ClaimGraceStarted: {
    active: "held.grace",
    activeForever: "held.grace",
    activePreclaim: "held.grace",
    exhausted: "held.grace",
    offered: "held.grace"
  },
  ClaimExpired: { grace: "open", gracePreclaim: "unmarked", graceExhausted: "done" },
  ClaimReleased: heldLeadsTo("open", { activePreclaim: "unmarked", gracePreclaim: "unmarked" }),
  ClaimRevoked: heldLeadsTo("open", { activePreclaim: "unmarked", gracePreclaim: "unmarked" }),
  ClaimFailed: heldLeadsTo("open", {
    activePreclaim: "unmarked",
    gracePreclaim: "unmarked",
    exhausted: "done",
    graceExhausted: "done"
  }),
  ClaimCompleted: heldLeadsTo("done", { doneSwept: "done", evaporatedHeld: "evaporated" }),
  ClaimTransferred: heldLeadsTo("held.active"),
  ClaimReopened: {
    done: "open",
    doneSwept: "open",
    donePreclaim: "unmarked",
    evaporatedDone: "evaporated",
    evaporatedHeld: "evaporated"
  },
  HandoffOffered: {
    active: "held.offered",
    activeForever: "held.offered",
    activePreclaim: "held.offered",
    exhausted: "held.offered",
    grace: "held.offered",
    gracePreclaim: "held.offered",
    graceExhausted: "held.offered"
  },
  HandoffDeclined: { offered: "held.active" },
  HandoffWithdrawn: { offered: "held.active" },
  HandoffLapsed: { offered: "held.active" }
}

function heldLeadsTo(to: string, others: Partial<Record<Situation, string>> = {}) {
  const leads: Partial<Record<Situation, string>> = {}
  for (const name of held) leads[name] = to
  return { ...leads, ...others }
}

describe("claimMachine", () => {
  it.each(Object.values(all))(
    "accepts $type exactly where the contract lists it, and goes where it says",
    (event) => {
      const actual = Object.fromEntries(
        names.map((name) => [name, situations[name].after(event)?.state.name])
      )
      const expected = Object.fromEntries(names.map((name) => [name, transitions[event.type][name]]))
      expect(actual).toEqual(expected)
    }
  )

  it("accepts a failure without retry from every held state, as the end", () => {
    for (const name of held) {
      const story = situations[name].and(failed(2, { retry: false }))
      expect([name, story.state.name, story.state.context.outcome]).toEqual([name, "done", "failed"])
    }
  })

  it("has no state that a mark cannot be published in", () => {
    expect(names.filter((name) => !situations[name].after(deposited()))).toEqual([])
  })

  it("holds deadlines exactly while a lease, a grace or an offer runs", () => {
    const deadlineOf: Partial<Record<Situation, string>> = {
      active: "lease",
      activePreclaim: "lease",
      exhausted: "lease",
      grace: "grace",
      gracePreclaim: "grace",
      graceExhausted: "grace",
      offered: "offer"
    }
    const armed = (story: Story) => story.state.deadlines.map(({ id }) => id)
    const actual = Object.fromEntries(names.map((name) => [name, armed(situations[name])]))
    const expected = Object.fromEntries(
      names.map((name) => [name, [deadlineOf[name]].filter((id) => id !== undefined)])
    )
    expect(actual).toEqual(expected)
  })
})
