/** Archives the journal of a hub that serves: one at a time, on request, and by itself where the settings say so. */
import { Effect } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import type { HubKind, HubState } from "../actors/hub/hubKind.js"
import { refusal } from "../http/refusals.js"
import type { CallFailure } from "../http/serve.js"
import type { Tracing } from "../http/Tracing.js"
import { type Archived, type ArchiveRequest, type ArchiveServices, archiveJournal } from "./archiveJournal.js"

export interface Archive {
  readonly run: (request: ArchiveRequest, by: string) => Effect.Effect<Archived, CallFailure>
  /** Never ends; archives what has become old enough. */
  readonly schedule: (afterMs: number, now: () => number) => Effect.Effect<never>
}

/** How often a hub looks whether a day has become old enough. */
const lookMs = 3_600_000

export const makeArchive = (
  services: Pick<ArchiveServices, "journal" | "rows" | "writer">,
  system: ActorSystem["Type"],
  hubKind: HubKind,
  hub: () => HubState,
  tracing: Tracing
): Archive => {
  let isRunning = false
  const run = (request: ArchiveRequest, by: string): Effect.Effect<Archived, CallFailure> =>
    Effect.suspend((): Effect.Effect<Archived, CallFailure> => {
      if (isRunning) return refusal({ _tag: "OperationBusy", operation: "archiving" })
      isRunning = true
      const work = archiveJournal(
        {
          ...services,
          archivedTo: () => hub().context.archivedTo,
          record: (segment) => system.send(hubKind, "", { type: "RecordArchive", ...segment }, { by })
        },
        request
      )
      return tracing.span("journal.archive", work).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            isRunning = false
          })
        )
      )
    })
  return {
    run,
    schedule: (afterMs, now) =>
      Effect.suspend(() => run({ before: now() - afterMs, vacuum: true }, "hub")).pipe(
        Effect.catchAll((failure) =>
          failure._tag === "Refused" ? Effect.void : Effect.logWarning(`archiving: ${failure.message}`)
        ),
        Effect.zipRight(Effect.sleep(lookMs)),
        Effect.forever
      )
  }
}
