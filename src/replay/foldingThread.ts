/** The thread of `makeFoldAside`: folds its stretch of the journal and says what that came to. */
import { parentPort, workerData } from "node:worker_threads"
import { Effect } from "effect"
import * as EventRows from "../events/EventRows.js"
import * as SqliteStore from "../events/SqliteStore.js"
import type { Job, Said } from "./foldAside.js"
import { histories, knownEvents, projections } from "./installed.js"
import { replayStretch } from "./replayStretch.js"

const fold = ({ stretch, upTo, from, compare, head }: Job, say: (said: Said) => void) =>
  Effect.gen(function* () {
    const store = yield* SqliteStore.SqliteStore
    const { offset } = yield* EventRows.head(store)
    if (compare ? offset !== head : offset < upTo) return say({ isOther: true })
    const onProgress = (events: number) => say({ events })
    const code = { histories, known: knownEvents, projections }
    say({ replayed: yield* replayStretch(store, { ...code, upTo, from, compare, onProgress }, stretch) })
  })

const job = workerData as Job
if (parentPort) {
  const say = parentPort.postMessage.bind(parentPort)
  await Effect.runPromise(Effect.provide(fold(job, say), SqliteStore.layerMoment(job.path)))
}
