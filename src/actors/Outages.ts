/**
 * A store that takes no writes: since when, why, and how many commands that has cost. Everything that is refused is refused here, so that
 * the count is right.
 */
import { Effect, Exit } from "effect"
import type { JournalUnavailable } from "../events/Journal.js"
import type { CommandQueue, Envelope } from "./CommandQueue.js"
import { type Reason, Refused, type SystemReason } from "./Refused.js"
import type { WaitingRoom } from "./WaitingRoom.js"

/** Why the journal takes no writes, and since when. */
export interface Outage {
  readonly reason: string
  readonly detail: string
  readonly since: number
  refused: number
}

export interface OutagesOptions {
  readonly queue: CommandQueue
  readonly now: () => number
  readonly onRefused: (envelope: Envelope, refused: Refused) => void
  /** The command that records the end of an outage: the first write that is tried again. */
  readonly resume: (outage: Outage) => Envelope | undefined
}

/** Between two attempts at writing again. */
const resumeMs = 1_000

export class Outages {
  #outage: Outage | undefined

  constructor(
    private readonly options: OutagesOptions,
    private readonly waitingRoom: WaitingRoom
  ) {}

  /** The outage that the store is in, if it takes no writes. */
  get current(): Outage | undefined {
    return this.#outage
  }

  /** Says what a command cannot be carried out for, if the store is in an outage. */
  get reason(): SystemReason | undefined {
    return this.#outage && readOnly(this.#outage)
  }

  /** One that is under way goes on. */
  begin({ reason, detail }: JournalUnavailable): void {
    this.#outage ??= { reason, detail, since: this.options.now(), refused: 0 }
  }

  /** Everything that waits is refused; then the end of the outage is written, and if that works it is over. */
  tryToResume(outage: Outage, write: (envelope: Envelope) => Effect.Effect<void>): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      this.refuseQueued(outage)
      yield* Effect.sleep(resumeMs)
      const envelope = this.options.resume(outage)
      this.#outage = undefined
      if (envelope) yield* write(envelope)
      // Still failing: the outage goes on, with its own beginning and count.
      const again = this.current
      if (!again) return
      outage.refused += again.refused
      this.#outage = outage
    })
  }

  /** What is queued is not decided yet: it is refused with certainty. */
  refuseQueued(outage: Pick<Outage, "reason" | "detail">): void {
    this.refuseAll(this.options.queue.take(Number.POSITIVE_INFINITY), readOnly(outage))
  }

  refuseAll(envelopes: ReadonlyArray<Envelope>, reason: SystemReason): void {
    for (const envelope of envelopes) {
      this.waitingRoom.remove(envelope)
      this.refuse(envelope, reason)
    }
  }

  refuse(envelope: Envelope, reason: Reason): void {
    if (reason._tag === "ReadOnly" && this.#outage) this.#outage.refused++
    const refused = new Refused({ reason })
    envelope.answer(Exit.fail(refused))
    this.options.onRefused(envelope, refused)
  }
}

export const readOnly = ({ reason, detail }: Pick<Outage, "reason" | "detail">): SystemReason => ({
  _tag: "ReadOnly",
  reason,
  detail
})
