import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { readStances } from "../../src/config/stances.js"
import { temporaryFolder } from "../support/stores.js"

describe("the stance allow-list", () => {
  it.scoped("is what the stance vectors of a file, or of a folder's JSON files, name", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      writeFileSync(join(folder, "a.json"), '{"stance_vector":{"reviewer":1,"":1}}')
      writeFileSync(join(folder, "b.json"), '{"stance_vector":{"tester":0,"reviewer":0.5}}')
      writeFileSync(join(folder, "c.txt"), "not read")
      mkdirSync(join(folder, "deeper"))
      writeFileSync(join(folder, "deeper", "d.json"), '{"stance_vector":{"hidden":1}}')
      expect(yield* readStances(join(folder, "a.json"))).toEqual(new Set(["reviewer"]))
      expect(yield* readStances(folder)).toEqual(new Set(["reviewer", "tester"]))
    })
  )

  it.scoped("is refused with its path when it is missing, empty, no JSON, or without a vector", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const problem = (path: string) => Effect.map(Effect.flip(readStances(path)), ({ message }) => message)
      expect(yield* problem(join(folder, "none"))).toContain(`${join(folder, "none")}: Error: ENOENT`)
      expect(yield* problem(folder)).toContain(`${folder}: the folder has no *.json file`)
      for (const text of ["{", "null", "5", "{}", '{"stance_vector":[]}', '{"stance_vector":"x"}']) {
        const path = join(folder, "a.json")
        writeFileSync(path, text)
        expect(yield* problem(path)).toContain(path)
      }
    })
  )
})
