/** A journal whose commits can be held and can fail, in the two ways in which a commit can fail: written, or not. */
import { Effect, Layer } from "effect"
import { Journal, JournalUnavailable } from "../../src/events/Journal.js"

/** What becomes of the next append: it works, fails unwritten, is written but reported as failed, or meets a defect. */
export type Fate = "works" | "unwritten" | "written" | "defect"

export class Faults {
  /** Fates of the coming appends, in order; when there are none, they work. */
  readonly fates: Array<Fate> = []
  /** Set while appends are held before they begin. */
  #gate: Promise<void> | undefined
  #open: (() => void) | undefined
  /** Set while the store cannot be asked what became of a commit. */
  isUnreadable = false

  hold(): void {
    this.#gate = new Promise((resolve) => {
      this.#open = resolve
    })
  }

  release(): void {
    this.#gate = undefined
    this.#open?.()
  }

  readonly held = Effect.promise(async () => this.#gate)
}

/** The journal in context, with faults between it and whoever appends. */
export const faultyJournal = (faults: Faults): Layer.Layer<Journal, never, Journal> =>
  Layer.effect(
    Journal,
    Effect.map(Journal, (journal) =>
      Journal.of({
        ...journal,
        byCommands: (commandIds) =>
          Effect.suspend(() =>
            faults.isUnreadable
              ? new JournalUnavailable({ reason: "io", detail: "the disk is still out" })
              : journal.byCommands(commandIds)
          ),
        append: (batch) =>
          Effect.gen(function* () {
            yield* faults.held
            const fate = faults.fates.shift() ?? "works"
            if (fate === "defect") return yield* Effect.dieMessage("a defect in the commit")
            const recorded = fate === "unwritten" ? [] : yield* journal.append(batch)
            if (fate === "works") return recorded
            return yield* new JournalUnavailable({ reason: "io", detail: "the disk was pulled out" })
          })
      })
    )
  )
