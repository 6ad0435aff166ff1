/**
 * An import that is killed at one of its commits and taken up again. What it comes to must be the same wherever it was, for the tests
 * that sample the places and for the script that walks them all.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import Database from "better-sqlite3"
import { Effect, type Scope } from "effect"
import { bundleProgram } from "./bundleProgram.js"
import { temporaryFolder } from "./stores.js"

const program = bundleProgram("imports/hub.mjs", "importingHub.mjs")

const marks = 1_500
/** Every third mark is claimed, every fifth was inflated; some claims stand alone. */
const lines = Array.from({ length: marks }, (_, n) => [
  `{"type":"publish","payload":{"id":"w${n}","stanceTarget":"s","baseIntensity":${n},"decayRate":0,"publishedAt":${n},"inflations":0}}`,
  ...(n % 3 === 0 ? [`{"type":"claim","id":"w${n}","token":"t${n}"}`] : []),
  ...(n % 5 === 0 ? [`{"type":"inflate","id":"w${n}"}`] : []),
  ...(n % 100 === 0 ? [`{"type":"claim","id":"alone${n}","token":"t${n}"}`] : [])
]).flat()

/** Just before or after its n-th commit. */
export interface ImportPlace {
  readonly when: "before" | "after"
  readonly commit: number
}

export interface ImportKilled {
  /** Everything that was recorded of the import, but for when and at which offset; and the list that it comes to. */
  readonly imported: ReadonlyArray<unknown>
  /** False when the import had fewer commits. */
  readonly isKilled: boolean
  /** Commits that the last boot needed. */
  readonly commits: number
}

/** Moves a small ledger in; killed at a place, it is taken up by the next boot. */
export const importKilledAt = (place?: ImportPlace): Effect.Effect<ImportKilled, never, Scope.Scope> =>
  Effect.gen(function* () {
    yield* program.make
    const workspace = yield* temporaryFolder
    const ledger = join(yield* temporaryFolder, "old.jsonl")
    writeFileSync(ledger, `${lines.join("\n")}\n`)
    const boot = (...argv: ReadonlyArray<string>) => Effect.promise(() => run([workspace, ledger, ...argv]))
    const first = place ? yield* boot(place.when, String(place.commit)) : undefined
    const isKilled = first?.signal === "SIGKILL"
    const last = !first || isKilled ? yield* boot() : first
    if (last.code !== 0) return yield* Effect.dieMessage(`the hub ended with ${last.code}: ${last.said}`)
    return { imported: recorded(workspace), isKilled, commits: Number(last.said) }
  })

const run = async (argv: ReadonlyArray<string>) => {
  const child = spawn(process.execPath, [program.path, ...argv], { stdio: ["ignore", "pipe", "pipe"] })
  let said = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text
    })
  }
  const [code, signal] = await once(child, "close")
  return { code: code as number | null, signal: signal as NodeJS.Signals | null, said }
}

const recorded = (workspace: string): ReadonlyArray<unknown> => {
  const db = new Database(join(workspace, ".mound/mound.db"), { readonly: true })
  try {
    return [
      ...db
        .prepare(
          `SELECT stream, type, state, "by", command_id, json_remove(data, '$.path') AS data FROM events
           WHERE stream LIKE 'claim/%' OR type = 'LedgerImported' ORDER BY "offset"`
        )
        .all(),
      ...db.prepare("SELECT id, state, record, published_at, inflations, peer FROM claims ORDER BY id").all()
    ]
  } finally {
    db.close()
  }
}
