/** A group's side of its senses, in its process: loads their code, opens their databases and calls their compute functions. */
import { join } from "node:path"
import type { Database } from "better-sqlite3"
import { Effect } from "effect"
import { type RoutedAnswer, routeAnswer } from "../actors/sense/routeAnswer.js"
import type { Answer } from "../actors/sense/SenseCommand.js"
import { type Blobs, makeBlobs } from "../events/Blobs.js"
import type { Offset } from "../events/Event.js"
import { errorText } from "./errorText.js"
import { jsonValue } from "./jsonValue.js"
import { findEntry, hashModule } from "./moduleFiles.js"
import type { SenseContext, UserBlobs } from "./SenseContext.js"
import { MigrationFailed, migrate, openOwn, peersOf, readMigrations } from "./senseDatabase.js"
import type { FromSenseWorker, ToSenseWorker } from "./senseProtocol.js"
import { exported, LoadFailed, makeUserModules, type UserModules } from "./userModules.js"

type Compute = (context: SenseContext) => unknown
type Message<Type extends ToSenseWorker["type"]> = Extract<ToSenseWorker, { readonly type: Type }>
type Report<Type extends FromSenseWorker["type"]> = Extract<FromSenseWorker, { readonly type: Type }>

interface LoadedSense {
  readonly compute: Compute
  readonly stateDir: string
  readonly db: () => Database
}

/** contracts: senses and workflows 2.3 */
const maxAnswerBytes = 1024 * 1024
const maxStateBytes = 64 * 1024
const maxEvidenceBytes = 256 * 1024
const maxInlineBytes = 16 * 1024
const previewLength = 200

export class SenseHost {
  readonly #senses = new Map<string, LoadedSense>()
  readonly #running = new Map<Offset, AbortController>()
  #modules: UserModules | undefined

  constructor(private readonly workspace: string) {}

  /** Loads a sense: its code first, then its database, so that code that is broken touches nothing. */
  load({ sense, stateDir, now }: Message<"Load">): Effect.Effect<Report<"Loaded"> | Report<"LoadFailed">> {
    const folder = join(this.workspace, "senses", sense)
    const hash = hashModule(this.workspace, folder)
    return Effect.gen(this, function* () {
      const entry = findEntry(folder, ["compute", "index"])
      if (entry === undefined)
        return yield* new LoadFailed({ problem: `there is no code in senses/${sense}` })
      this.#modules ??= makeUserModules(this.workspace, join(stateDir, "cache"))
      const compute = computeIn(yield* this.#modules.load(entry))
      if (!compute) {
        return yield* new LoadFailed({
          problem: `${entry}: exports no function named compute, nor a default one`
        })
      }
      const migrations = yield* Effect.try({
        try: () => this.#open({ sense, stateDir, now }, compute, join(folder, "migrations")),
        catch: (error) =>
          new LoadFailed({ problem: error instanceof MigrationFailed ? error.message : errorText(error) })
      })
      return { type: "Loaded", sense, hash, migrations } as const
    }).pipe(
      Effect.catchAll(({ problem }) =>
        Effect.succeed({ type: "LoadFailed", sense, hash, error: problem } as const)
      )
    )
  }

  /** Calls a sense's compute function; however it ends, its report says so. */
  compute(request: Message<"Compute">): Effect.Effect<Report<"Answered"> | Report<"Failed">> {
    const { sense, token } = request
    const abort = new AbortController()
    this.#running.set(token, abort)
    const startedAt = performance.now()
    const durationMs = () => Math.round(performance.now() - startedAt)
    return Effect.gen(this, function* () {
      const loaded = this.#senses.get(sense)
      if (!loaded) return yield* Effect.fail(`${sense} is not loaded`)
      const blobs = makeBlobs(join(loaded.stateDir, "blobs"))
      const { context, stateOf } = makeContext(this.workspace, loaded, request, abort.signal, blobs)
      const given = yield* Effect.tryPromise({
        try: async () => await loaded.compute(context),
        catch: errorText
      })
      const answer = yield* toAnswer(given, blobs)
      return { type: "Answered", sense, token, answer, durationMs: durationMs(), ...stateOf() } as const
    }).pipe(
      Effect.catchAll((error) =>
        Effect.succeed({ type: "Failed", sense, token, error, durationMs: durationMs() } as const)
      ),
      Effect.ensuring(Effect.sync(() => this.#running.delete(token)))
    )
  }

  abort(token: Offset): void {
    this.#running.get(token)?.abort()
  }

  /** The database is opened now if there is something to apply, else when it is first used. */
  #open(
    { sense, stateDir, now }: Omit<Message<"Load">, "type">,
    compute: Compute,
    folder: string
  ): ReadonlyArray<string> {
    let opened: Database | undefined
    const db = () => {
      opened ??= openOwn(stateDir, sense)
      return opened
    }
    const migrations = readMigrations(folder)
    const { applied, missing } =
      migrations.length > 0 ? migrate(db(), migrations, now) : { applied: [], missing: [] }
    for (const file of missing) process.stderr.write(`[${sense}] the applied migration ${file} is missing\n`)
    this.#senses.set(sense, { compute, stateDir, db })
    return applied
  }
}

/** The export `compute`, or a default one that is the function itself. */
const computeIn = (module: { readonly [name: string]: unknown }): Compute | undefined => {
  const found = [exported(module, "compute"), module.default, exported(module, "default")]
  return found.find((each) => typeof each === "function") as Compute | undefined
}

const makeContext = (
  workspace: string,
  { stateDir, db }: LoadedSense,
  { sense, now, causes, state, signals }: Message<"Compute">,
  abort: AbortSignal,
  blobs: Blobs
) => {
  let set: { readonly state: unknown } | undefined
  const context: SenseContext = {
    name: sense,
    now,
    causes,
    state,
    setState: (given) => {
      const checked = jsonValue(given, maxStateBytes)
      if ("problem" in checked) throw new TypeError(`setState: ${checked.problem}`)
      set = { state: checked.value }
    },
    get db() {
      return db()
    },
    get peers() {
      return peersOf(stateDir, sense)
    },
    signals,
    blobs: userBlobs(blobs),
    abort,
    log: (text) => void process.stdout.write(`[${sense}] ${text}\n`),
    workspace
  }
  return { context, stateOf: () => set ?? {} }
}

const userBlobs = (blobs: Blobs): UserBlobs => ({
  write: (data) => Effect.runPromise(blobs.write(data)),
  read: (sha256) => Effect.runPromise(blobs.read(sha256))
})

/** What survives JSON, routed; what is too large for the journal becomes a blob. */
const toAnswer = (given: unknown, blobs: Blobs): Effect.Effect<Answer, string> =>
  Effect.suspend((): Effect.Effect<Answer, string> => {
    const checked = jsonValue(given, maxAnswerBytes)
    if ("problem" in checked) return Effect.fail(`the answer cannot be recorded: ${checked.problem}`)
    const routed = routeAnswer(checked.value)
    switch (routed.outcome) {
      case "silent":
        return Effect.succeed(routed)
      case "signal":
        return Effect.map(shrunk(routed.payload, blobs), (payload) => ({ ...routed, payload }))
      case "launch":
        return Effect.as(checkEvidence(routed), routed)
    }
  })

const checkEvidence = ({ evidence }: Extract<RoutedAnswer, { outcome: "launch" }>) => {
  const checked = jsonValue(evidence, maxEvidenceBytes)
  return "problem" in checked ? Effect.fail(`the evidence of a launch: ${checked.problem}`) : Effect.void
}

const shrunk = (payload: unknown, blobs: Blobs): Effect.Effect<unknown, string> => {
  const json = JSON.stringify(payload)
  if (Buffer.byteLength(json) <= maxInlineBytes) return Effect.succeed(payload)
  return blobs.write(json).pipe(
    Effect.map(({ sha256, bytes }) => ({ blob: sha256, bytes, preview: json.slice(0, previewLength) })),
    Effect.mapError(({ message }) => message)
  )
}
