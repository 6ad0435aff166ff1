/**
 * `npm run bench`: what Mound does in a second, beside raw SQLite and beside the ledger server from npm, all in one run. Prints a table
 * and with `--json FILE` writes the same as JSON.
 */
import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import { appends } from "./appends.js"
import { fanOut } from "./fanOut.js"
import { imports } from "./imports.js"
import { ledger } from "./ledger.js"
import { longWorkspace } from "./longWorkspace.js"
import { describeMachine } from "./machine.js"
import { memory } from "./memory.js"
import { operations } from "./operations.js"
import { peers } from "./peers.js"
import { reactions } from "./reactions.js"
import { recovery } from "./recovery.js"
import { replays } from "./replays.js"
import { type Result, toJson, toTable } from "./report.js"
import { resumption } from "./resumption.js"
import { runs } from "./runs.js"
import { fullSizes, quickSizes, type Scenario } from "./Scenario.js"
import { sends } from "./sends.js"
import { streams } from "./streams.js"

const scenarios: ReadonlyArray<Scenario> = [
  appends,
  sends,
  ledger,
  replays,
  recovery,
  operations,
  memory,
  imports,
  fanOut,
  streams,
  runs,
  reactions,
  resumption,
  peers
]

const usage = [
  "usage: npm run bench -- [--only NAME]... [--quick] [--json FILE]",
  "",
  "  --only NAME   measure this alone; may be given several times:",
  ...scenarios.map(({ name, about }) => `                  ${name.padEnd(10)} ${about}`),
  "  --quick       small sizes, only to see that everything runs",
  "  --json FILE   write the results as JSON too",
  "",
  "Journals are made in the temporary folder; TMPDIR chooses the disk that is measured."
].join("\n")

interface Options {
  readonly chosen: ReadonlyArray<Scenario>
  readonly quick: boolean
  readonly json: string | undefined
}

/** What was asked for, or a text to print and the exit code to end with. */
const readOptions = (
  argv: ReadonlyArray<string>
): Options | { readonly text: string; readonly exitCode: number } => {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        only: { type: "string", multiple: true },
        quick: { type: "boolean", default: false },
        json: { type: "string" },
        help: { type: "boolean", short: "h", default: false }
      }
    })
    if (values.help) return { text: usage, exitCode: 0 }
    const unknown = values.only?.find((name) => !scenarios.some((each) => each.name === name))
    if (unknown !== undefined) return { text: `--only: there is no ${unknown}\n\n${usage}`, exitCode: 2 }
    const chosen = scenarios.filter(({ name }) => values.only?.includes(name) ?? true)
    return { chosen, quick: values.quick, json: values.json }
  } catch (error) {
    return { text: `${(error as Error).message}\n\n${usage}`, exitCode: 2 }
  }
}

const run = ({ chosen, quick, json }: Options) =>
  Effect.gen(function* () {
    const sizes = quick ? quickSizes : fullSizes
    const bench = { sizes, longWorkspace: yield* longWorkspace(sizes) }
    const results: Array<Result> = []
    for (const { name, about, run } of chosen) {
      process.stderr.write(`${name}: ${about}\n`)
      const figures = yield* Effect.scoped(run(bench))
      results.push(...figures.map((figure) => ({ scenario: name, ...figure })))
    }
    const all = { machine: describeMachine(), quick, results }
    process.stdout.write(`\n${toTable(all)}\n`)
    if (json !== undefined) writeFileSync(json, `${toJson(all)}\n`)
  }).pipe(Effect.scoped)

const options = readOptions(process.argv.slice(2))
if ("text" in options) {
  process.stderr.write(`${options.text}\n`)
  process.exitCode = options.exitCode
} else NodeRuntime.runMain(run(options))
