/** Runs the code of one workflow in its worker: loads the module, asks the moderator, plays roles. Whatever the code does is an answer. */
import { join } from "node:path"
import { Clock, Effect } from "effect"
import type { Choice } from "../actors/run/RunCommand.js"
import type { Failing } from "../actors/workflow/WorkflowEvent.js"
import { nameCause } from "../config/process.js"
import { type Blobs, makeBlobs } from "../events/Blobs.js"
import { errorText } from "./errorText.js"
import { findEntry, hashModule } from "./moduleFiles.js"
import { outboxOf, writeAnswer } from "./outbox.js"
import { checkAnswer, toOutput } from "./recordable.js"
import { makeUserModules } from "./userModules.js"
import { extend, type HistoryCorrupt, WorkerThreads } from "./WorkerThreads.js"
import type { RoleContext, Thread } from "./WorkflowContext.js"
import { readDefinition, type WorkflowDefinition } from "./WorkflowDefinition.js"
import type { CallAnswer, FromWorkflow, ToWorkflow } from "./workflowProtocol.js"
import { END } from "./workspaceModule.js"

type Asked<Type extends ToWorkflow["type"]> = Extract<ToWorkflow, { readonly type: Type }>

interface Loaded {
  readonly definition: WorkflowDefinition
  readonly workspace: string
  readonly outbox: string
  readonly blobs: Blobs
  readonly threads: WorkerThreads
}

/** How much of the last step a claimant is shown when the role does not say what to ask. */
const maxAskChars = 8_000

export class WorkflowRunner {
  #loaded: Loaded | undefined
  readonly #aborts = new Map<number, AbortController>()

  /** Carries a message out, and reports what there is to report of it. */
  handle(message: ToWorkflow, report: (answer: FromWorkflow) => Effect.Effect<void>): Effect.Effect<void> {
    switch (message.type) {
      case "Load":
        return Effect.flatMap(this.#load(message), report)
      case "Choose":
        // Said before the module is asked: how long it takes is its own doing from here on.
        return report({ type: "Choosing", token: message.token }).pipe(
          Effect.zipRight(this.#answering(message.token, this.#choose(message))),
          Effect.flatMap(report)
        )
      case "Play":
        return this.#play(message).pipe(
          // Reported before the moderator is asked, for the same reason.
          Effect.tap(({ played }) => report(played)),
          Effect.flatMap(({ thread }) => this.#ask(message.token, thread)),
          (call) => Effect.flatMap(this.#answering(message.token, call), report)
        )
      case "Abort":
        return Effect.sync(() => this.#aborts.get(message.token)?.abort())
      case "Forget":
        return Effect.sync(() => this.#loaded?.threads.forget(message.runId))
    }
  }

  #load({ workflow, workspace, stateDir }: Asked<"Load">): Effect.Effect<FromWorkflow> {
    const folder = join(workspace, "workflows", workflow)
    const definitionHash = hashModule(workspace, folder)
    return Effect.gen(this, function* () {
      const entry = findEntry(folder, ["index"])
      if (entry === undefined) return yield* Effect.fail(`${folder} has no index.ts (.mts, .js, .mjs)`)
      const module = yield* Effect.mapError(
        makeUserModules(workspace, join(stateDir, "cache")).load(entry),
        ({ problem }) => problem
      )
      const definition = yield* Effect.try({
        try: () => readDefinition(module, entry),
        catch: (error) => (error as { readonly problem: string }).problem
      })
      const blobs = makeBlobs(join(stateDir, "blobs"))
      const outbox = outboxOf(stateDir)
      this.#loaded = { definition, workspace, outbox, blobs, threads: new WorkerThreads(blobs) }
      return { type: "Loaded", definitionHash, roles: [...definition.roles.keys()] } as const
    }).pipe(
      Effect.catchAll((problem) =>
        Effect.succeed({ type: "LoadFailed", error: failing(problem), definitionHash } as const)
      )
    )
  }

  /** A call ends with exactly one answer, whatever happens on the way. */
  #answering(
    token: number,
    call: Effect.Effect<CallAnswer, HistoryCorrupt | CallFailed>
  ): Effect.Effect<FromWorkflow> {
    return call.pipe(
      Effect.catchAll((failure) => {
        const isHistory = failure._tag === "HistoryCorrupt"
        const retryable = failure._tag === "CallFailed" && failure.retryable
        return Effect.succeed({
          type: "Failed",
          token,
          error: failing(failure.problem),
          retryable,
          isHistory
        } as const)
      }),
      Effect.ensuring(Effect.sync(() => this.#aborts.delete(token)))
    )
  }

  #choose({ token, thread: part }: Asked<"Choose">) {
    return Effect.flatMap(this.#ready.threads.take(part), (thread) => this.#ask(token, thread))
  }

  #ask(token: number, thread: Thread) {
    return Effect.try({
      try: () => ({ type: "Chosen", token, choice: choiceOf(this.#ready.definition, thread) }) as const,
      catch: (error) => new CallFailed(errorText(error), false)
    })
  }

  #play({ token, thread: part, role, round, attempt }: Asked<"Play">) {
    return Effect.gen(this, function* () {
      const { threads, definition, workspace, outbox, blobs } = this.#ready
      const run = definition.roles.get(role)?.run
      if (!run) return yield* Effect.fail(new CallFailed(`the workflow has no role ${role} any more`, false))
      const { runId } = part
      const thread = yield* threads.take(part)
      const abort = new AbortController()
      this.#aborts.set(token, abort)
      const { meta } = thread.start
      const context: RoleContext = {
        ...thread,
        runId,
        threadId: runId,
        round,
        attempt,
        idempotencyKey: `${runId}:${round}`,
        token,
        dryRun: meta.dryRun,
        evidence: meta.evidence,
        blobs: {
          write: (data) => Effect.runPromise(blobs.write(data)),
          read: (sha256) => Effect.runPromise(blobs.read(sha256))
        },
        abort: abort.signal,
        log: (text) => process.stdout.write(`${runId} #${round} ${role}: ${text}\n`),
        workspace
      }
      nameCause(`run/${runId}`)
      const answer = yield* Effect.tryPromise({
        try: async () => await run(context),
        catch: (error) => new CallFailed(errorText(error), isRetryable(error))
      })
      const checked = checkAnswer(answer)
      if ("problem" in checked) return yield* Effect.fail(new CallFailed(checked.problem, false))
      const output = yield* toOutput(blobs, checked.content, checked.meta).pipe(
        Effect.tap((made) =>
          Effect.tryPromise({
            try: () => writeAnswer(outbox, { runId, round, attempt }, made),
            catch: (error) => new CallFailed(`the answer cannot be kept: ${errorText(error)}`, true)
          })
        ),
        Effect.catchTag("BlobUnavailable", ({ problem }) => Effect.fail(new CallFailed(problem, true)))
      )
      const step = { role, ...checked, timestamp: yield* Clock.currentTimeMillis, round }
      return { played: { type: "Played", token, output } as const, thread: extend(thread, step) }
    })
  }

  get #ready(): Loaded {
    if (!this.#loaded) throw new Error("a call came before the module was loaded")
    return this.#loaded
  }
}

class CallFailed {
  readonly _tag = "CallFailed"
  constructor(
    readonly problem: string,
    readonly retryable: boolean
  ) {}
}

const isRetryable = (error: unknown): boolean =>
  typeof error === "object" &&
  error !== null &&
  (error as { readonly retryable?: unknown }).retryable === true

/** The moderator is pure: it is asked on what is recorded, and what it does to that is an error of its own. */
const choiceOf = ({ moderator, roles }: WorkflowDefinition, thread: Thread): Choice => {
  const chosen = moderator(Object.freeze(thread))
  if (typeof chosen !== "string") {
    const what = chosen instanceof Promise ? "a promise: it must not be async" : typeof chosen
    throw new Error(`the moderator must answer a role's name or END, not ${what}`)
  }
  if (chosen === END) return { end: true }
  const role = roles.get(chosen)
  if (!role) return { role: chosen.slice(0, 200), as: null }
  if (role.as.executor.kind === "worker") return { role: chosen, as: role.as }
  const ask = role.ask ? String(role.ask(thread)) : defaultAsk(thread)
  return { role: chosen, as: { ...role.as, ask } }
}

const defaultAsk = ({ start, steps }: Thread): string => {
  const last = steps.at(-1)
  return last ? `${start.content}\n\n[${last.role}] ${last.content.slice(0, maxAskChars)}` : start.content
}

/** What comes before the first frame of a stack is the message: it may name a place in its further lines. */
const failing = (text: string): Failing => {
  const end = text.search(/\n\s+at /)
  const message = (end < 0 ? text : text.slice(0, end)).replace(/\s*\n\s*/g, ": ").trim()
  return end < 0 ? { message } : { message, stack: text.slice(end + 1) }
}
