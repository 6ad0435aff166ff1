/**
 * A ledger of claims in memory, for many runs of one property: the real kind decides, folds and keeps its index, and time passes by
 * hand. What a journal adds to that (durability, batches, concurrency) is tested on real ones.
 */
import type { CommandShape } from "../../src/actors/ActorKind.js"
import type { ClaimCommand } from "../../src/actors/claim/ClaimCommand.js"
import type { ClaimRules } from "../../src/actors/claim/ClaimDecision.js"
import type { ClaimState } from "../../src/actors/claim/ClaimIndex.js"
import { makeClaimKind } from "../../src/actors/claim/claimKind.js"
import {
  encodeEvent,
  makeStreamId,
  type Offset,
  RecordedEvent,
  type StreamId,
  type Version
} from "../../src/events/Event.js"
import { genesis } from "../../src/events/HashChain.js"
import type { Deadline } from "../../src/events/Journal.js"
import { beginning, usualRules } from "./claimStory.js"

/** What came of a command. */
export type Happened =
  | { readonly _tag: "Recorded"; readonly event: RecordedEvent; readonly state: ClaimState }
  | { readonly _tag: "Unchanged" }
  | { readonly _tag: "Refused"; readonly reason: string }

export class Ledger {
  readonly kind: ReturnType<typeof makeClaimKind>
  readonly events: Array<RecordedEvent> = []
  now = beginning
  readonly #states = new Map<StreamId, ClaimState>()

  constructor(rules: Partial<ClaimRules> = {}) {
    this.kind = makeClaimKind({ ...usualRules, ...rules })
  }

  get states(): ReadonlyArray<ClaimState> {
    return [...this.#states.values()]
  }

  state(id: string): ClaimState {
    const stream = makeStreamId("claim", id)
    return this.#states.get(stream) ?? (this.kind.fold.initial(stream) as ClaimState)
  }

  /** Sends a command to a claim, or with `id` undefined to whichever is chosen. */
  send(id: string | undefined, command: ClaimCommand): Happened {
    const context = { now: this.now, by: "test", floorAt: 0, read: () => this.state("") }
    const choice = id === undefined ? this.kind.choose?.(command, context) : undefined
    if (choice && choice._tag !== "Choose") return { _tag: "Refused", reason: choice.reason._tag }
    const state = this.state(choice?.id ?? id ?? "")
    const decision = this.kind.decide(state, command, context)
    if (decision._tag === "Refuse") return { _tag: "Refused", reason: decision.reason._tag }
    if (decision._tag === "Unchanged") return decision
    const [fact] = decision.events
    if (!fact || decision.events.length > 1) throw new Error(`${command.type} led to several events`)
    return this.#record(state, fact, "test")
  }

  /** Lets time pass, and what comes due in it happen: one instant after the other. */
  pass(ms: number): void {
    const until = this.now + ms
    for (;;) {
      const [next] = this.states
        .flatMap((state) => state.deadlines.map((deadline) => ({ state, deadline })))
        .filter(({ deadline }) => deadline.dueAt <= until)
        .toSorted((a, b) => a.deadline.dueAt - b.deadline.dueAt)
      if (!next) break
      const { state, deadline } = next
      this.now = Math.max(this.now, deadline.dueAt)
      const context = { now: this.now, by: "deadline", floorAt: 0, read: () => state }
      const facts = [this.kind.complete?.(state, deadline, context) ?? deadline.event].flat()
      const [fact] = facts
      if (!fact || facts.length > 1) throw new Error(`${deadline.event.type} came due as several events`)
      this.#record(state, fact, "deadline", deadline)
    }
    this.now = until
  }

  #record(before: ClaimState, { type, ...data }: CommandShape, by: string, due?: Deadline): Happened {
    const fact = {
      stream: before.stream,
      version: (before.version + 1) as Version,
      offset: (this.events.length + 1) as Offset,
      at: this.now,
      type,
      by,
      causation: due?.armedBy ?? null,
      correlation: null,
      data
    }
    const state = this.kind.fold.apply(before, fact) as ClaimState | undefined
    if (!state) return { _tag: "Refused", reason: "IllegalInState" }
    const commandId = `${before.stream}-${fact.version}`
    const encoded = encodeEvent({ ...fact, schema: 1, state: state.name, commandId })
    const event = new RecordedEvent({ ...encoded, offset: fact.offset, hash: genesis })
    this.events.push(event)
    this.#states.set(before.stream, state)
    this.kind.index.update(before, state)
    return { _tag: "Recorded", event, state }
  }
}
