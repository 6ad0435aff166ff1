/** A claim in sentences: given what has happened, when somebody asks for something, then what happens or why it is refused. */
import { expect } from "@effect/vitest"
import { Schema } from "effect"
import { ClaimCommand } from "../../src/actors/claim/ClaimCommand.js"
import type { ClaimRules, ClaimWorld } from "../../src/actors/claim/ClaimDecision.js"
import { ClaimEvent } from "../../src/actors/claim/ClaimEvent.js"
import type { ClaimState } from "../../src/actors/claim/ClaimIndex.js"
import { ClaimReason } from "../../src/actors/claim/ClaimRefusal.js"
import { makeClaimKind } from "../../src/actors/claim/claimKind.js"
import { makeStreamId, type Offset, type Version } from "../../src/events/Event.js"

/** Time that passes. */
export interface Pause {
  readonly type: "Pause"
  readonly ms: number
}
export const pause = (ms: number): Pause => ({ type: "Pause", ms })

/** When every story begins, epoch ms. */
export const beginning = 1_000_000

export const usualRules: ClaimRules = {
  defaultTtlMs: 300_000,
  defaultGraceMs: 60_000,
  maxHeldPerPeer: undefined,
  stances: undefined,
  isLive: () => false
}

export type Told = ClaimEvent | Pause

/** The story of `claim/a`: its events have the offsets 1, 2, 3 and so on. */
export const given = (...history: ReadonlyArray<Told>): Story =>
  new Story(makeClaimKind(usualRules).fold.initial(makeStreamId("claim", "a")) as ClaimState, beginning).and(
    ...history
  )

/** Rules and surroundings other than the usual. */
export interface Surroundings extends Partial<ClaimRules> {
  readonly floorAt?: number
}

export class Story {
  constructor(
    readonly state: ClaimState,
    readonly now: number
  ) {}

  /** Goes on; every event must be one that the machine accepts. */
  and(...history: ReadonlyArray<Told>): Story {
    return history.reduce<Story>((story, told) => {
      if (told.type === "Pause") return new Story(story.state, story.now + told.ms)
      const next = story.after(told)
      if (!next) throw new Error(`${told.type} is illegal in state ${story.state.name}`)
      return next
    }, this)
  }

  /** The story after one more event, or undefined if the machine does not accept it. */
  after({ type, ...data }: ClaimEvent): Story | undefined {
    const { stream, version } = this.state
    const state = makeClaimKind(usualRules).fold.apply(this.state, {
      stream,
      version: (version + 1) as Version,
      offset: (version + 1) as Offset,
      at: this.now,
      type,
      by: "test",
      causation: null,
      correlation: null,
      data
    })
    return state && new Story(state as ClaimState, this.now)
  }

  when(asked: Asked, { floorAt = 0, ...rules }: Surroundings = {}): Answer {
    const kind = makeClaimKind({ ...usualRules, ...rules })
    kind.index.update(kind.fold.initial(this.state.stream) as ClaimState, this.state)
    const world: Omit<ClaimWorld, "rules" | "index"> = {
      now: this.now,
      by: "test",
      floorAt,
      read: () => this.state
    }
    const command = Schema.decodeUnknownSync(ClaimCommand)(asked)
    const choice = command.type === "ClaimNext" ? kind.choose?.(command, world) : undefined
    if (choice && choice._tag !== "Choose") return new Answer(this, { ...choice, _tag: "Refuse" })
    return new Answer(this, kind.decide(this.state, command, world) as ReturnType<typeof kind.decide>)
  }
}

/** A command as its encoded form is: numbers where it has offsets. */
export type Asked = typeof ClaimCommand.Encoded

type Decision = ReturnType<ReturnType<typeof makeClaimKind>["decide"]>

export class Answer {
  constructor(
    private readonly story: Story,
    private readonly decision: Decision
  ) {}

  /** Exactly these events, each of a shape that is declared and accepted by the machine; the story goes on after them. */
  thenHappens(...events: ReadonlyArray<ClaimEvent>): Story {
    expect(this.decision).toEqual({ _tag: "Accept", events })
    for (const event of events) Schema.validateSync(ClaimEvent)(event)
    return this.story.and(...events)
  }

  /** It is so already: an answer without an event. */
  thenNothing(): Story {
    expect(this.decision).toEqual({ _tag: "Unchanged" })
    return this.story
  }

  /** For this reason, which is of the shape that is declared for it. */
  thenRefused<Tag extends ClaimReason["_tag"]>(
    _tag: Tag,
    fields: Partial<Extract<ClaimReason, { readonly _tag: Tag }>> = {}
  ): ClaimReason {
    expect(this.decision).toMatchObject({ _tag: "Refuse", reason: { _tag, ...fields } })
    if (this.decision._tag !== "Refuse") throw new Error("it is not refused")
    return Schema.validateSync(ClaimReason)(this.decision.reason)
  }
}
