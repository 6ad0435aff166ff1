/** `journal rebuild`: makes projections anew, in the hub if one runs, else in the store itself. */
import { Args, Command } from "@effect/cli"
import { Effect, Option } from "effect"
import { rebuildStopped } from "../hub/rebuildStopped.js"
import { projections } from "../replay/installed.js"
import { usage } from "./CliFailure.js"
import { json, stateDirOf, workspace } from "./common.js"
import { journalIn } from "./journalStore.js"
import { print } from "./output.js"

export const rebuild = Command.make(
  "rebuild",
  {
    name: Args.text({ name: "PROJECTION" }).pipe(
      Args.withDescription("which; all of them when left out"),
      Args.optional
    ),
    workspace,
    json
  },
  (options) =>
    Effect.gen(function* () {
      const known = projections.map(({ name }) => name)
      const names = Option.match(options.name, { onNone: () => known, onSome: (name) => [name] })
      const unknown = names.find((name) => !known.includes(name))
      if (unknown !== undefined) {
        return yield* usage(`there is no projection ${unknown}`, `choose one of ${known.join(", ")}`)
      }
      const stateDir = yield* stateDirOf(options.workspace)
      yield* journalIn(stateDir)
      const rebuilt = yield* rebuildInHub(options.workspace, names).pipe(
        Effect.catchIf(
          ({ tag }) => tag === "HubNotRunning",
          () => rebuildStopped(stateDir, names)
        )
      )
      if (options.json) return yield* print(JSON.stringify(rebuilt))
      for (const { name, rows, offset, liveDigest, digest } of rebuilt) {
        const verdict =
          digest === null ? "" : digest === liveDigest ? ", as it was" : ", OTHERWISE than it was"
        yield* print(`${name}: ${rows} rows at offset ${offset}${verdict}`)
      }
    })
).pipe(Command.withDescription("make projections anew from the journal; asks the hub if it runs"))

/** The client is loaded here: the other journal verbs answer sooner without it. */
const rebuildInHub = (workspace: Option.Option<string>, names: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { connect, explainFailure } = yield* Effect.promise(() => import("./Client.js"))
    return yield* Effect.gen(function* () {
      const { hub } = yield* connect({ workspace, url: Option.none() })
      return yield* Effect.forEach(names, (name) => hub.rebuild({ path: { name } }))
    }).pipe(Effect.mapError(explainFailure))
  })
