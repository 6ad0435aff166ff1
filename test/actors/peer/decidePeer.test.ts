import { describe, expect, it } from "@effect/vitest"
import { decidePeer, type PeerRules } from "../../../src/actors/peer/decidePeer.js"
import { parseIdentity } from "../../../src/actors/peer/Identity.js"
import type { PeerCommand } from "../../../src/actors/peer/PeerCommand.js"
import type { PeerEvent, Registration } from "../../../src/actors/peer/PeerEvent.js"
import { PeerIndex, type PeerState } from "../../../src/actors/peer/PeerIndex.js"
import { peerHistory } from "../../../src/actors/peer/peerKind.js"
import { makeStreamId, type Offset, type Version } from "../../../src/events/Event.js"
import { registration } from "../../support/presences.js"

const rules: PeerRules = {
  runtime: (name) => {
    if (name === "process") return { hasCommand: false, resumesByFolder: false }
    return ["claude", "codex", "telegram"].includes(name)
      ? { hasCommand: true, resumesByFolder: name === "claude" }
      : undefined
  },
  upState: () => undefined
}

const given = (...events: ReadonlyArray<PeerEvent>): PeerState =>
  events.reduce(
    (state, { type, ...data }) => {
      const version = (state.version + 1) as Version
      const place = { stream: state.stream, version, offset: version as number as Offset, at: 0, type }
      const next = peerHistory.fold.apply(state, {
        ...place,
        by: "t",
        causation: null,
        correlation: null,
        data
      })
      if (!next) throw new Error(`no ${type} in ${state.name}`)
      return next as PeerState
    },
    peerHistory.fold.initial(makeStreamId("peer", "boris")) as PeerState
  )
const registered = (more: Partial<Registration> = {}): PeerEvent => ({
  type: "PeerRegistered",
  ...registration("boris", { launch: { process: { args: ["x"], env: {} } }, ...more })
})
const decide = (
  state: PeerState,
  command: PeerCommand,
  more: Partial<PeerRules> = {},
  index = new PeerIndex()
) => {
  const decision = decidePeer(state, command, { rules: { ...rules, ...more }, index })
  if (decision._tag === "Accept") return decision.events[0]
  return decision._tag === "Refuse" ? decision.reason : "unchanged"
}
const register = (more: object = {}): PeerCommand => ({ type: "RegisterPeer", cwd: "/", ...more })
const run = { launch: { process: { args: ["node", "a.mjs"] } } }

describe("registering a peer", () => {
  it("fills in what is left out", () => {
    expect(decide(given(), register(run))).toEqual({
      type: "PeerRegistered",
      ...registration("boris", { launch: { process: { args: ["node", "a.mjs"], env: {} } } })
    })
  })

  it("reads intelligence from the runtime and resumes people always", () => {
    expect(decide(given(), register({ runtimes: ["telegram"] }))).toMatchObject({
      intelligence: "natural",
      resume: "always"
    })
    expect(decide(given(), register({ ...run, intelligence: "scripted" }))).toMatchObject({
      intelligence: "absent"
    })
  })

  it("cuts a description of 451 characters to 450", () => {
    const event = decide(given(), register({ ...run, description: "d".repeat(451) }))
    expect((event as Registration).description).toHaveLength(450)
  })

  it("merges a known name: runtimes are united, a blank description keeps the old one", () => {
    const state = given(registered({ description: "old" }))
    expect(decide(state, register({ runtimes: ["claude"], description: "  " }))).toEqual({
      type: "PeerAmended",
      changes: { runtimes: ["process", "claude"] }
    })
    expect(decide(state, register())).toBe("unchanged")
  })

  it("begins another incarnation for a namesake", () => {
    const state = given(
      registered(),
      { type: "PeerRemovalBegun", force: false },
      { type: "PeerRemoved", sessionsEnded: 0, messagesFailed: 0 },
      registered({ cwd: "/tmp" })
    )
    expect(state.context).toMatchObject({ incarnation: 4, registration: { cwd: "/tmp" }, removalFrom: null })
  })

  const taken = new PeerIndex()
  taken.seed([
    {
      personality: "other",
      incarnation: 1 as Offset,
      cwd: "/",
      runtimes: ["claude"],
      defaultRuntime: "claude",
      intelligence: "artificial",
      restart: "onDemand",
      resume: "topic",
      wake: "shared"
    }
  ])
  const refusals: ReadonlyArray<readonly [reason: string, state: PeerState, command: PeerCommand]> = [
    ["CwdConflict", given(registered({ cwd: "/tmp" })), register()],
    ["UnknownRuntime", given(), register({ runtimes: ["unheard"] })],
    ["NoCommand", given(), register()],
    ["CwdTaken", given(), register({ runtimes: ["claude"] })],
    ["Removing", given(registered(), { type: "PeerRemovalBegun", force: true }), register()],
    ["UnknownPeer", given(), { type: "AmendPeer", description: "x" }]
  ]
  for (const [reason, state, command] of refusals) {
    it(`is refused with ${reason}`, () => {
      expect(decide(state, command, {}, taken)).toMatchObject({ _tag: reason })
    })
  }

  it("refuses the hub's own names", () => {
    const hub = peerHistory.fold.initial(makeStreamId("peer", "operator")) as PeerState
    expect(decide(hub, register(run))).toEqual({ _tag: "NameReserved", personality: "operator" })
  })

  it("lets peers share a folder unless both resume by it", () => {
    expect(decide(given(), register({ runtimes: ["codex"] }), {}, taken)).toMatchObject({
      type: "PeerRegistered"
    })
  })
})

describe("amending a peer", () => {
  it("drops a runtime only while it is at rest", () => {
    const state = given(registered({ runtimes: ["process", "claude"] }))
    const amend = { type: "AmendPeer", runtimes: ["claude"] } as const
    expect(
      decide(state, amend, {
        upState: (identity) => (identity === "process-boris" ? "live.waiting" : undefined)
      })
    ).toEqual({
      _tag: "RuntimeInUse",
      runtime: "process",
      state: "live.waiting"
    })
    expect(decide(state, amend)).toEqual({
      type: "PeerAmended",
      changes: { runtimes: ["claude"], defaultRuntime: "claude" }
    })
  })
})

describe("removing a peer", () => {
  const remove = (force: boolean) => ({ type: "RemovePeer", force }) as const
  it("is done already when there is none, or when it is under way", () => {
    expect(decide(given(), remove(false))).toBe("unchanged")
    expect(decide(given(registered(), { type: "PeerRemovalBegun", force: true }), remove(true))).toBe(
      "unchanged"
    )
  })

  it("is refused while a session is up, unless it is forced", () => {
    const upState = () => "live.waiting"
    expect(decide(given(registered()), remove(false), { upState })).toMatchObject({ _tag: "RefusedLive" })
    expect(decide(given(registered()), remove(true), { upState })).toEqual({
      type: "PeerRemovalBegun",
      force: true
    })
  })
})

describe("an identity", () => {
  it("is split at the first dash", () => {
    expect(parseIdentity("claude-my-peer")).toEqual({ runtime: "claude", personality: "my-peer" })
  })

  it("is none with a malformed half", () => {
    for (const text of ["Boris", "claude", "claude-1a", `claude-${"a".repeat(33)}`, "-a", "Claude-a", ""]) {
      expect(parseIdentity(text), text).toBeUndefined()
    }
  })
})
