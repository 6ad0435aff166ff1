import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { helpFor } from "../../src/cli/runCli.js"
import { run } from "../support/binaries.js"
import { temporaryFolder } from "../support/stores.js"

/** The verbs that a group's help lists. */
const listed = (help: string): ReadonlyArray<string> => {
  if (!help.includes(" VERB --help")) return []
  return [...help.matchAll(/^ {2}([a-z][\w-]*) {2,}\S/gm)].map(([, verb]) => verb as string)
}

/** Every verb and group, found as a person finds them: from one help to the next. */
const helpUnder = (
  path: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<readonly [call: string, help: string]>, unknown, NodeContext.NodeContext> =>
  Effect.gen(function* () {
    const help = yield* helpFor("mound", path)
    const below = yield* Effect.forEach(listed(help), (verb) => helpUnder([...path, verb]))
    return [[["mound", ...path].join(" "), help] as const, ...below.flat()]
  })

describe("--help", () => {
  it.scopedLive(
    "says of every verb how it is called by its whole name, what it does, and that it has --json",
    () =>
      Effect.gen(function* () {
        const helps = new Map(yield* Effect.provide(helpUnder([]), NodeContext.layer))
        for (const [call, help] of helps) {
          const [first, , usage] = help.split("\n")
          expect(first).toMatch(new RegExp(`^${call}: \\S.*`))
          expect(usage).toMatch(new RegExp(`^usage: ${call} `))
          expect(help).not.toMatch(/undefined|This setting|A user-defined/)
          expect([call, /--json|VERB/.test(help)]).toEqual([call, true])
        }
        const verbs = [
          ...[
            "dev",
            "claim",
            "claim deposit",
            "claim list",
            "claim show",
            "claim take",
            "claim next",
            "claim exec"
          ],
          ...[
            "claim renew",
            "claim verify",
            "claim release",
            "claim complete",
            "claim fail",
            "claim reclaim"
          ],
          ...[
            "claim handoff offer",
            "claim handoff accept",
            "claim handoff decline",
            "claim handoff withdraw"
          ],
          ...["claim inflate", "claim revoke", "claim reopen", "claim evaporate"],
          ...["ledger sweep", "ledger import", "ledger metrics"],
          ...["replay", "tail", "show", "verify", "rebuild", "export", "import"].map(
            (verb) => `journal ${verb}`
          )
        ]
        expect(verbs.filter((verb) => !helps.has(`mound ${verb}`))).toEqual([])
      })
  )

  it.scopedLive("names what must be given, and lists the rest", () =>
    Effect.gen(function* () {
      const { code, stdout, stderr } = yield* run("mound", ["claim", "handoff", "offer", "-h"])
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
      expect(stdout).toContain("usage: mound claim handoff offer <ID> --token integer --to text [OPTIONS]\n")
      expect(stdout).toMatch(/^ {2}--for text +how long the offer stands, such as 1m$/m)
      const { stdout: own } = yield* run("journal", ["show", "--help"])
      expect(own).toContain("usage: journal show <OFFSET|STREAM> [OPTIONS]\n")
    })
  )

  it.scopedLive("is shown for a group that is called without a verb, and for the binary alone", () =>
    Effect.gen(function* () {
      expect(yield* run("mound", ["claim", "handoff"])).toMatchObject({ code: 0, stderr: "" })
      const { stdout } = yield* run("mound", [])
      expect(listed(stdout)).toEqual(expect.arrayContaining(["dev", "claim", "ledger", "journal"]))
      expect((yield* run("journal", [])).stdout).toContain("usage: journal VERB ...")
    })
  )

  it.scopedLive("prints the version", () =>
    Effect.gen(function* () {
      for (const binary of ["mound", "journal"] as const) {
        expect(yield* run(binary, ["--version"])).toMatchObject({ code: 0, stdout: "0.1.0\n", stderr: "" })
      }
    })
  )
})

describe("a slip on the command line", () => {
  const slips: ReadonlyArray<readonly [words: ReadonlyArray<string>, message: string, help: string]> = [
    [["clam"], "mound has no verb clam", "mound"],
    [["claim", "handoff", "ofer"], "mound claim handoff has no verb ofer", "mound claim handoff"],
    [["claim", "take", "x", "--az", "p"], "mound claim take has no option --az", "mound claim take"],
    [["claim", "take", "x"], "'--as'", "mound claim take"],
    [["claim", "take", "x", "y", "--as", "p"], "'y'", "mound claim take"],
    [["claim", "list", "--state", "opne"], "open, held, held.active", "mound claim list"],
    [
      ["journal", "replay", "--untill", "3"],
      "mound journal replay has no option --untill",
      "mound journal replay"
    ]
  ]

  it.scopedLive("is told on stderr with where to look, as one JSON value if asked, with exit code 2", () =>
    Effect.gen(function* () {
      const cwd = yield* temporaryFolder
      for (const [words, message, help] of slips) {
        const { code, stdout, stderr } = yield* run("mound", [...words, "--json"], { cwd })
        expect([words, code]).toEqual([words, 2])
        expect(stderr).toContain(message)
        expect(stderr).toContain(`\nfix: see ${help} --help\n`)
        expect(JSON.parse(stdout)).toMatchObject({ _tag: "Usage", message: expect.stringContaining(message) })
      }
    })
  )
})
