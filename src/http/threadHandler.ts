/** A page of a run's thread, as JSON or as the text that people read (contracts: senses and workflows 5.1). */
import { Effect } from "effect"
import type { Blobs } from "../events/Blobs.js"
import type { Journal } from "../events/Journal.js"
import type { Projector } from "../projections/Projector.js"
import { findRounds, roundLengths, type StoredRound, type StoredRun } from "../projections/runQueries.js"
import type { Block } from "../projections/threadBlock.js"
import { defaultBudget, newestPage, pageBefore } from "../projections/threadPage.js"
import { refusal } from "./refusals.js"
import { type CallFailure, type Handlers, PlainText } from "./serve.js"
import { threadText } from "./threadText.js"

export interface ThreadServices {
  readonly journal: Journal["Type"]
  readonly projector: Projector["Type"]
  readonly blobs: Blobs
}

export const makeThreadHandler =
  (
    { journal, projector, blobs }: ThreadServices,
    known: (id: string) => Effect.Effect<StoredRun, CallFailure>
  ): Handlers["thread"] =>
  ({ path: { id }, urlParams: { before, budget = defaultBudget }, header }) =>
    Effect.gen(function* () {
      const { offset } = yield* journal.head
      yield* known(id)
      const lengths = yield* roundLengths(projector.read, id)
      const page = before === undefined ? newestPage(lengths, budget) : pageBefore(lengths, before, budget)
      const stored = yield* findRounds(projector.read, id, page.rounds)
      const rounds = yield* Effect.forEach(stored, (round) => shown(round, blobs))
      if (header("accept")?.startsWith("text/plain")) {
        return new PlainText(threadText(rounds, page, before === undefined))
      }
      return { offset, total: lengths.length, omitted: page.omitted, before: page.before, rounds }
    })

const shown = (
  { round, role, content, blob, meta, at, attempts }: StoredRound,
  blobs: Blobs
): Effect.Effect<Block, CallFailure> => {
  const whole = content === null ? readText(blobs, JSON.parse(blob ?? "{}").blob) : Effect.succeed(content)
  return Effect.map(whole, (text) => ({
    round,
    role,
    content: text,
    meta: JSON.parse(meta),
    at,
    attempt: attempts
  }))
}

/** A content that was put aside; a page that cannot show it says so instead of showing less. */
const readText = (blobs: Blobs, sha256: string): Effect.Effect<string, CallFailure> => {
  const corrupt = (problem: string) => refusal({ _tag: "BlobCorrupt", sha256, problem })
  return blobs.read(sha256).pipe(
    Effect.mapError(({ message }) => corrupt(message)),
    Effect.flatMap((bytes) => (bytes ? Effect.succeed(bytes.toString("utf8")) : corrupt("it is missing")))
  )
}
