import { Effect } from "effect"

/** One turn of the event loop: sockets and timers get their due before a long or a repeated piece of work goes on. */
export const ioTurn: Effect.Effect<void> = Effect.async((resume) => {
  const turn = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(turn))
})
