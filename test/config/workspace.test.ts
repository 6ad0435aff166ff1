import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { findWorkspace } from "../../src/config/workspace.js"
import { temporaryFolder } from "../support/stores.js"

/** `outer/` with a `mound.yaml`, `outer/inner/` with a `.mound`, and `outer/inner/deep/er/`. */
const folders = Effect.map(temporaryFolder, (root) => {
  const outer = join(root, "outer")
  const inner = join(outer, "inner")
  const deeper = join(inner, "deep", "er")
  mkdirSync(deeper, { recursive: true })
  mkdirSync(join(inner, ".mound"))
  writeFileSync(join(outer, "mound.yaml"), "")
  return { root, outer, inner, deeper }
})

describe("the workspace", () => {
  it.scoped("is the nearest folder upwards that has a mound.yaml, a nerve.yaml or a .mound", () =>
    Effect.gen(function* () {
      const { root, outer, inner, deeper } = yield* folders
      expect(yield* findWorkspace(undefined, {}, deeper)).toBe(inner)
      expect(yield* findWorkspace(undefined, {}, inner)).toBe(inner)
      expect(yield* findWorkspace(undefined, {}, outer)).toBe(outer)
      writeFileSync(join(root, "nerve.yaml"), "")
      expect(yield* findWorkspace(undefined, {}, root)).toBe(root)
    })
  )

  it.scoped("is the named one, which need not be marked; a name goes before the variable", () =>
    Effect.gen(function* () {
      const { root, outer, inner, deeper } = yield* folders
      expect(yield* findWorkspace("deep", {}, inner)).toBe(join(inner, "deep"))
      expect(yield* findWorkspace(undefined, { MOUND_WORKSPACE: ` ${outer} ` }, deeper)).toBe(outer)
      expect(yield* findWorkspace(root, { MOUND_WORKSPACE: outer }, deeper)).toBe(root)
    })
  )

  it.scoped("is not found where there is none, and what to do is said", () =>
    Effect.gen(function* () {
      const { root, outer } = yield* folders
      const nowhere = yield* Effect.flip(findWorkspace(undefined, {}, root))
      expect(nowhere.message).toContain(`no workspace at ${root}`)
      expect(nowhere.fix).toContain("--workspace DIR")
      const missing = yield* Effect.flip(findWorkspace("missing", {}, root))
      expect(missing.message).toBe(`there is no folder ${join(root, "missing")}`)
      const file = yield* Effect.flip(findWorkspace("mound.yaml", {}, outer))
      expect(file.message).toContain("there is no folder")
    })
  )
})
