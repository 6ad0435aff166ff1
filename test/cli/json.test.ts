import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { helpFor } from "../../src/cli/runCli.js"
import { moundIn, startDev, workspaceFolder } from "../support/binaries.js"

/** Verbs that run for as long as their hub does. */
const lasting = new Set(["dev", "start", "restart"])

/** Every verb with its group, found as a person finds them: from one help to the next. */
const verbsUnder = (
  path: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<ReadonlyArray<string>>, unknown, NodeContext.NodeContext> =>
  Effect.gen(function* () {
    const help = yield* helpFor("mound", path)
    if (!help.includes(" VERB --help")) return [path]
    const names = [...help.matchAll(/^ {2}([a-z][\w-]*) {2,}\S/gm)].map(([, name]) => name as string)
    return (yield* Effect.forEach(names, (name) => verbsUnder([...path, name]))).flat()
  })

const isOneValue = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

describe("--json", () => {
  it.scopedLive(
    "makes stdout of verbs of every group one JSON value, of a slip and of a refusal too",
    () =>
      Effect.gen(function* () {
        const all = (yield* Effect.provide(verbsUnder([]), NodeContext.layer)).filter(
          ([first = ""]) => !lasting.has(first)
        )
        // A process a verb takes its time: two of each group, and all that stand alone.
        const groupOf = (verb: ReadonlyArray<string>) => verb.slice(0, -1).join(" ")
        const verbs = all.filter(
          (verb, index) =>
            verb.length === 1 ||
            all.slice(0, index).filter((each) => groupOf(each) === groupOf(verb)).length < 2
        )
        expect(verbs.length).toBeGreaterThan(20)
        const mound = moundIn(yield* workspaceFolder())
        const wrong = yield* Effect.forEach(
          verbs,
          (verb) =>
            Effect.map(mound(...verb, "--json"), ({ code, stdout }) =>
              isOneValue(stdout) ? [] : [`${verb.join(" ")} (${code}): ${JSON.stringify(stdout)}`]
            ),
          { concurrency: 2 }
        )
        expect(wrong.flat()).toEqual([])
      }),
    120_000
  )

  it.scopedLive("is what a running hub's refusals and answers are told in", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder("streams:\n  enabled: true\n")
      yield* startDev(workspace)
      const mound = moundIn(workspace)
      const calls = [
        ["status"],
        ["url"],
        ["doctor", "--strict"],
        ["server", "list"],
        ["server", "remove", "nobody"],
        ["stream", "head", "claim/none"],
        ["peer", "show", "nobody@process"],
        ["journal", "verify"],
        ["journal", "archive", "--before", "2026-01-01"],
        ["stop", "--drain-timeout", "never"]
      ]
      for (const call of calls) {
        const { stdout } = yield* mound(...call, "--json")
        expect([call.join(" "), stdout === "" || isOneValue(stdout)]).toEqual([call.join(" "), true])
      }
    })
  )
})
