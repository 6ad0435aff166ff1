/** Starts workers and ends what they leave; `Worker` says what holds for each. */
import { type ChildProcess, fork } from "node:child_process"
import { Deferred, Effect, Mailbox, Runtime, Schema, type Scope } from "effect"
import { randomHex } from "../events/randomHex.js"
import { OutputTail } from "./OutputTail.js"
import { endMarked, killGroup, startedAt } from "./processes.js"
import { SpawnFailed, type Worker, type WorkerExit, WorkerGone, type WorkerSpec } from "./Worker.js"
import type { WorkerLog } from "./WorkerLog.js"
import { type Frame, markVariable, workspaceVariable } from "./workerProtocol.js"

export interface Workers {
  /** Starts a process; it ends with the scope. */
  readonly start: <ToWorker, ToHub>(
    spec: WorkerSpec<ToWorker, ToHub>
  ) => Effect.Effect<Worker<ToWorker, ToHub>, SpawnFailed, Scope.Scope>
  /** Kills what workers of earlier boots left running, themselves included; answers how many. Before anything is started. */
  readonly endStrays: Effect.Effect<number>
}

export interface WorkersOptions {
  /** Tells the workers of this journal's hub from all others on the machine. */
  readonly journalId: string
  readonly workspace: string
  /** The environment that workers get; the hub's own secrets are taken out. */
  readonly environment: { readonly [name: string]: string | undefined }
  readonly log: WorkerLog
  /** How long a worker that is asked to end may take, ms. */
  readonly endMs?: number
}

/** contracts: senses and workflows 3.5 */
const defaultEndMs = 10_000
/** Messages that may wait to be taken: more is a flood, and its sender is killed. */
const maxWaiting = 10_000
/** How long the channel and the pipes of a dead process may take to give up what they still hold. */
const channelMs = 2_000
/** Variables that are the hub's alone, or that would change how Node itself starts. */
const withheld: ReadonlySet<string> = new Set([
  "MOUND_TOKEN",
  "MOUND_BOOT_ID",
  "NODE_OPTIONS",
  "NODE_CHANNEL_FD"
])

export const makeWorkers = (options: WorkersOptions): Workers => ({
  start: (spec) => start({ endMs: defaultEndMs, ...options }, spec),
  endStrays: endMarked((mark) => mark.startsWith(`${options.journalId}/`))
})

/** Uninterruptible: a process that was started has its finalizer before anybody can give up on it. */
const start = <ToWorker, ToHub>(
  { journalId, workspace, environment, log, endMs }: WorkersOptions & { readonly endMs: number },
  { name, entry, protocol }: WorkerSpec<ToWorker, ToHub>
): Effect.Effect<Worker<ToWorker, ToHub>, SpawnFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const workerId = `${name}-${yield* randomHex(6)}`
    const mark = `${journalId}/${workerId}`
    const run = Runtime.runFork(yield* Effect.runtime<never>())
    const inbox = yield* Mailbox.make<ToHub, WorkerGone>({ capacity: maxWaiting, strategy: "dropping" })
    const ended = yield* Deferred.make<WorkerExit>()
    const decode = Schema.decodeUnknownEither(protocol.toHub)
    const encode = Schema.encodeSync(protocol.toWorker)
    let isAsked = false

    const child = yield* spawn(entry, workspace, {
      ...environment,
      ...Object.fromEntries([...withheld].map((variable) => [variable, undefined])),
      [workspaceVariable]: workspace,
      [markVariable]: mark
    })
    const pid = child.pid as number
    const silence = awaitSilence(child)
    const output = log.attach(workerId)
    const tail = new OutputTail()
    child.stdout?.on("data", (chunk: Buffer) => output.write("out", chunk))
    child.stderr?.on("data", (chunk: Buffer) => {
      tail.add(chunk)
      output.write("err", chunk)
    })
    child.on("message", (frame) => {
      const decoded = decode((frame as { readonly message?: unknown } | null)?.message)
      if (decoded._tag === "Left") return output.note(`a message was dropped: ${decoded.left.message}`)
      if (inbox.unsafeOffer(decoded.right) || isAsked) return
      output.note(`killed: more than ${maxWaiting} messages are waiting`)
      killGroup(pid)
    })

    const settle = (code: number | null, signal: string | null) =>
      Effect.gen(function* () {
        killGroup(pid)
        yield* silence
        yield* endMarked((other) => other === mark)
        output.note(`ended with ${signal ?? `code ${code}`}${isAsked ? ", as asked" : ""}`)
        const exit: WorkerExit = { workerId, code, signal, isAsked, stderrTail: tail.text }
        yield* inbox.fail(new WorkerGone({ exit }))
        yield* Deferred.succeed(ended, exit)
      })
    child.once("exit", (code, signal) => run(settle(code, signal)))
    output.note(`started with pid ${pid}`)

    const kill = Effect.suspend(() => {
      killGroup(pid)
      return Deferred.await(ended)
    })
    const post = (frame: Frame): Effect.Effect<void, WorkerGone> =>
      Effect.async<boolean>((resume) => {
        if (!child.connected) return resume(Effect.succeed(false))
        child.send(frame, (error) => resume(Effect.succeed(error === null)))
      }).pipe(
        // A channel that takes nothing more is that of a process that is dying; one that lingers is helped.
        Effect.flatMap((isPosted) =>
          isPosted ? Effect.void : Effect.flatMap(kill, (exit) => Effect.fail(new WorkerGone({ exit })))
        )
      )
    // Finalizers are not interruptible, and what cannot be interrupted is not timed out either.
    const end = Effect.suspend(() => {
      isAsked = true
      return Effect.zipRight(Effect.ignore(post({ end: true })), Deferred.await(ended)).pipe(
        Effect.interruptible,
        Effect.timeoutTo({ duration: endMs, onSuccess: Effect.succeed, onTimeout: () => kill }),
        Effect.flatten
      )
    })
    yield* Effect.addFinalizer(() => end)

    return {
      workerId,
      pid,
      pidStartedAt: startedAt(pid),
      send: (message: ToWorker) => Effect.suspend(() => post({ message: encode(message) })),
      take: Effect.catchTag(inbox.take, "NoSuchElementException", () => Effect.never),
      ended: Deferred.await(ended),
      end,
      kill: (as: "asked" | "lost") =>
        Effect.suspend(() => {
          isAsked = as === "asked"
          return kill
        })
    }
  }).pipe(Effect.uninterruptible)

/** Its own session and so its own process group; whatever Node was started with itself is not passed on. */
const spawn = (
  entry: string,
  workspace: string,
  environment: { readonly [name: string]: string | undefined }
): Effect.Effect<ChildProcess, SpawnFailed> =>
  Effect.async((resume) => {
    try {
      const child = fork(entry, [String(process.pid)], {
        cwd: workspace,
        env: environment,
        execArgv: [],
        detached: true,
        stdio: ["ignore", "pipe", "pipe", "ipc"]
      })
      child.once("spawn", () => resume(Effect.succeed(child)))
      child.on("error", (error) => resume(new SpawnFailed({ problem: error.message })))
    } catch (error) {
      resume(new SpawnFailed({ problem: String(error) }))
    }
  })

/** Completes when the channel and the pipes have given up all that the process wrote, even if it is dead long since. */
const awaitSilence = (child: ChildProcess): Effect.Effect<void> => {
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()))
  const disconnected = new Promise<void>((resolve) => child.once("disconnect", () => resolve()))
  return Effect.promise(() => Promise.all([closed, disconnected])).pipe(
    // A stranger may hold a pipe open.
    Effect.timeoutOption(channelMs),
    Effect.asVoid,
    Effect.interruptible
  )
}
