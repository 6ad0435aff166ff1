/**
 * The writer thread for tests: it knows the tests' events too, and it is mortal. It ends where an event that it is to write says so,
 * before the commit or after it and before anybody is told, once for each word; and it does not start while its store is marked as
 * broken. Started by `ThreadedWriter` in place of `writerThread.js`.
 */
import { existsSync, writeFileSync } from "node:fs"
import { parentPort, workerData } from "node:worker_threads"
import { Effect, Layer } from "effect"
import * as SqliteStore from "../../src/events/SqliteStore.js"
import { KnownEvents } from "../../src/events/Upcasters.js"
import { type EncodedBatch, Writer } from "../../src/events/Writer.js"
import { serveWriter } from "../../src/hub/serveWriter.js"
import * as SqliteWriter from "../../src/projections/SqliteWriter.js"
import { knownEvents, projections } from "../../src/replay/installed.js"
import { testEventTypes } from "./stores.js"

const makeMortal = (path: string) =>
  Layer.effect(
    Writer,
    Effect.map(Writer, (writer) =>
      Writer.of({
        ...writer,
        commit: (batches) => {
          const [, when, key] = lastWord.exec(textOf(batches)) ?? []
          const isLast = key !== undefined && !existsSync(`${path}.${key}`)
          if (isLast) writeFileSync(`${path}.${key}`, "")
          if (isLast && when === "before") return Effect.sync(() => process.exit(3))
          return Effect.tap(writer.commit(batches), () => {
            if (isLast) process.exit(4)
          })
        }
      })
    )
  )

/** `ends-before-commit:x` or `ends-after-commit:x`, anywhere in an event's data. */
const lastWord = /ends-(before|after)-commit:(\w+)/

const textOf = (batches: ReadonlyArray<EncodedBatch>): string =>
  batches.flatMap(({ events }) => events.map(({ dataJson }) => dataJson)).join()

const main = (path: string): void => {
  if (!parentPort || existsSync(`${path}.broken`)) process.exit(5)
  const writer = SqliteWriter.layer(projections).pipe(
    Layer.provide(SqliteStore.layer(path)),
    Layer.provide(Layer.succeed(KnownEvents, new Map([...knownEvents, ...testEventTypes])))
  )
  serveWriter(parentPort, Layer.provide(makeMortal(path), writer))
}

main((workerData as { readonly path: string }).path)
