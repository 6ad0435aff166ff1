/** The stance allow-list of the old ledger: the keys of `stance_vector` in a JSON file or in a folder of them (contracts: ledger 6.3). */
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { Effect, Schema } from "effect"

export class StanceRegistryInvalid extends Schema.TaggedError<StanceRegistryInvalid>()(
  "StanceRegistryInvalid",
  {
    path: Schema.String,
    problem: Schema.String
  }
) {
  override get message() {
    return `ledger.stance_registry: ${this.path}: ${this.problem}`
  }
}

/** The union of the non-empty keys of each file's `stance_vector`. */
export const readStances = (path: string): Effect.Effect<ReadonlySet<string>, StanceRegistryInvalid> =>
  Effect.try({
    try: () => new Set(filesOf(path).flatMap(stancesIn)),
    catch: (error) =>
      error instanceof StanceRegistryInvalid
        ? error
        : new StanceRegistryInvalid({ path, problem: String(error) })
  })

const filesOf = (path: string): ReadonlyArray<string> => {
  if (!statSync(path).isDirectory()) return [path]
  const files = readdirSync(path).filter((name) => name.endsWith(".json"))
  if (files.length === 0) throw new StanceRegistryInvalid({ path, problem: "the folder has no *.json file" })
  return files.sort().map((name) => join(path, name))
}

const stancesIn = (path: string): ReadonlyArray<string> => {
  const vector = (JSON.parse(readFileSync(path, "utf8")) as { stance_vector?: unknown } | null)?.stance_vector
  if (typeof vector !== "object" || vector === null || Array.isArray(vector)) {
    throw new StanceRegistryInvalid({ path, problem: "it has no object stance_vector" })
  }
  return Object.keys(vector).filter((stance) => stance !== "")
}
