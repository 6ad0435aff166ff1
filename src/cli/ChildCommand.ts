/** A command that runs in the foreground beside us: it has our terminal, and gets the signals that we get. */
import { spawn } from "node:child_process"
import { constants } from "node:os"
import { Deferred, Effect, type Scope } from "effect"
import { environment } from "../config/process.js"
import { type CliFailure, failed } from "./CliFailure.js"

export interface ChildCommand {
  readonly ended: Effect.Effect<Ended>
  /** Asks it to end, and after a while makes it. */
  readonly end: Effect.Effect<void>
}

export interface Ended {
  /** As a shell has it: 128 and the signal's number for one that a signal ended. */
  readonly exitCode: number
  /** The first signal that was passed on to it, if one was. */
  readonly passedOn: NodeJS.Signals | undefined
}

const killAfterMs = 10_000
const signals = ["SIGINT", "SIGTERM"] as const

/** Completes once it runs. It does not outlive the scope. */
export const startCommand = (
  [name = "", ...words]: ReadonlyArray<string>,
  variables: { readonly [name: string]: string }
): Effect.Effect<ChildCommand, CliFailure, Scope.Scope> =>
  Effect.gen(function* () {
    const ended = yield* Deferred.make<Ended>()
    let passedOn: NodeJS.Signals | undefined
    const passOn = (signal: NodeJS.Signals) => {
      passedOn ??= signal
      child.kill(signal)
    }
    // Before it runs: it may be heard of, and we be told to end, before spawn is back; ended alone we would leave it behind.
    for (const signal of signals) process.on(signal, passOn)
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const signal of signals) process.off(signal, passOn)
      })
    )
    const child = spawn(name, words, { stdio: "inherit", env: { ...environment, ...variables } })
    child.once("exit", (code, signal) => {
      const exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal])
      Deferred.unsafeDone(ended, Effect.succeed({ exitCode, passedOn }))
    })
    yield* Effect.async<void, CliFailure>((resume) => {
      child.once("spawn", () => resume(Effect.void))
      child.once("error", ({ message }) =>
        resume(failed("CommandNotRun", `${name} cannot be run: ${message}`))
      )
    })
    const end = Effect.gen(function* () {
      child.kill("SIGTERM")
      yield* Effect.timeoutOption(Deferred.await(ended), killAfterMs)
      child.kill("SIGKILL")
      yield* Deferred.await(ended)
    })
    yield* Effect.addFinalizer(() => end)
    return { ended: Deferred.await(ended), end }
  })
