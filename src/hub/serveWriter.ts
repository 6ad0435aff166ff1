/**
 * Serves a writer to the thread that started this one: its calls come as messages, and so go their answers, each as it is done.
 */
import type { MessagePort } from "node:worker_threads"
import { Cause, Effect, Exit, type Layer, Option, Schema } from "effect"
import { VersionConflict } from "../events/Journal.js"
import { Writer } from "../events/Writer.js"
import { type Call, type EncodedFault, Fault, fromRows, type Greeting, type Reply } from "./writerProtocol.js"

/** Opens the writer, greets, and serves until it is told to close. */
export const serveWriter = (port: MessagePort, writer: Layer.Layer<Writer, unknown>): void => {
  Effect.runFork(Effect.provide(serve(port), writer)).addObserver((exit) => {
    if (Exit.isFailure(exit)) port.postMessage(failure(exit.cause) satisfies Greeting)
    port.close()
  })
}

const encodeConflict = Schema.encodeSync(VersionConflict)

const perform = (writer: Writer["Type"], call: Call): Effect.Effect<unknown, unknown> => {
  switch (call.method) {
    case "head":
      return writer.head
    case "commit":
      return Effect.map(writer.commit(call.batches.map(fromRows)), (answers) =>
        answers.map((answer) =>
          answer instanceof VersionConflict ? { conflict: encodeConflict(answer) } : answer
        )
      )
    case "saveSnapshots":
      return writer.saveSnapshots(call.snapshots)
    case "rebuild":
      return writer.rebuild(call.projection)
    case "archive":
      return writer.archive(call.from, call.upTo)
    case "vacuum":
      return writer.vacuum
    case "close":
      return Effect.void
  }
}

/** A failure as the other side can read it: an error that it knows, or a defect's text. */
const failure = (
  cause: Cause.Cause<unknown>
): { readonly fault: EncodedFault } | { readonly defect: string } => {
  const known = Option.filter(Cause.failureOption(cause), Schema.is(Fault))
  return Option.isSome(known)
    ? { fault: Schema.encodeSync(Fault)(known.value) }
    : { defect: String(Cause.squash(cause)) }
}

/** Serves calls until it is told to close. */
const serve = (port: MessagePort) =>
  Effect.gen(function* () {
    const writer = yield* Writer
    port.postMessage({ ready: true } satisfies Greeting)
    yield* Effect.async<void>((resume) => {
      port.on("message", (call: Call) => {
        if (call.method === "close") return resume(Effect.void)
        Effect.runFork(perform(writer, call)).addObserver((exit) => {
          const { id } = call
          const reply: Reply = Exit.isSuccess(exit)
            ? { id, value: exit.value }
            : { id, ...failure(exit.cause) }
          port.postMessage(reply)
        })
      })
    })
  })
