import { join, relative } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { findEntry, hashModule, moduleFiles } from "../../src/runtimes/moduleFiles.js"
import { exported, makeUserModules } from "../../src/runtimes/userModules.js"
import { makeWorkspace, writeFiles } from "../support/workspaces.js"

const load = (files: { readonly [path: string]: string }, path: string) =>
  Effect.gen(function* () {
    const workspace = yield* makeWorkspace(files)
    return yield* makeUserModules(workspace, join(workspace, ".mound/cache")).load(join(workspace, path))
  })

const run = (module: { readonly [name: string]: unknown }) =>
  Effect.promise(async () => await (exported(module, "compute") as () => unknown)())

describe("user modules", () => {
  it.scoped("may be TypeScript with top-level await, enums and `./x.js` for `x.ts`", () =>
    Effect.gen(function* () {
      const module = yield* load(
        {
          "senses/a/compute.ts": `
            import { shared } from "../../lib/shared.js"
            import data from "./data.json"
            enum Unit { Ten = 10 }
            const one: number = await Promise.resolve(1)
            export const compute = async () => one + Unit.Ten + shared + data.n`,
          "senses/a/data.json": `{"n": 1000}`,
          "lib/shared.ts": `export const shared: number = 100`
        },
        "senses/a/compute.ts"
      )
      expect(yield* run(module)).toBe(1_111)
    })
  )

  it.scoped("may import ours under both names, without any package.json", () =>
    Effect.gen(function* () {
      const files = {
        "a.mts": `import { START, parseSenseWorkflowDirective } from "@uncaged/nerve-core"
          export const compute = () => [START, parseSenseWorkflowDirective("x|2|go")]`,
        "b.js": `const { END } = require("mound/workspace")
          module.exports = { compute: () => END }`
      }
      expect(yield* run(yield* load(files, "a.mts"))).toEqual([
        "__start__",
        { workflow: "x", maxRounds: 2, prompt: "go" }
      ])
      expect(yield* run(yield* load(files, "b.js"))).toBe("__end__")
    })
  )

  it.scoped("may be CommonJS that exports one thing as a whole", () =>
    Effect.gen(function* () {
      const whole = yield* load({ "a.js": "module.exports = async () => 7" }, "a.js")
      expect(yield* Effect.promise(() => (whole.default as () => Promise<number>)())).toBe(7)
      const object = yield* load({ "b.js": "module.exports = { roles: { r: 1 } }" }, "b.js")
      expect(object.default).toMatchObject({ roles: { r: 1 } })
    })
  )

  it.scoped("that do not load say why and where", () =>
    Effect.gen(function* () {
      const syntax = yield* Effect.flip(load({ "a.ts": "export const = 1" }, "a.ts"))
      expect(syntax.problem).toMatch(/SyntaxError|ParseError/)
      const thrown = yield* Effect.flip(load({ "a.ts": `\n\nthrow new TypeError("no luck")` }, "a.ts"))
      expect(thrown.problem).toMatch(/^TypeError: no luck\n[\s\S]*a\.ts:3/)
    })
  )
})

describe("a module's files", () => {
  const files = {
    "senses/a/compute.ts": `import { x } from "../../lib/x.js"\nconst y = require('./y')\nimport("../../lib/folder")`,
    "senses/a/y.js": "",
    "senses/a/migrations/001.sql": "CREATE TABLE t (x)",
    "senses/a/notes.txt": "no part of it",
    "senses/a/node_modules/p/index.js": "no part of it",
    "lib/x.ts": `import * as z from "./z"\nimport p from "p"`,
    "lib/z.mjs": `import "./x.js"`,
    "lib/folder/index.ts": "",
    "lib/other.ts": "no part of it"
  }

  it.scoped("are those of its folder and those that its imports lead to", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace(files)
      const found = moduleFiles(workspace, join(workspace, "senses/a"))
      expect(found.map((path) => relative(workspace, path))).toEqual([
        "lib/folder/index.ts",
        "lib/x.ts",
        "lib/z.mjs",
        "senses/a/compute.ts",
        "senses/a/migrations/001.sql",
        "senses/a/y.js"
      ])
    })
  )

  it.scoped("change its hash by their bytes alone", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace(files)
      const hash = () => hashModule(workspace, join(workspace, "senses/a"))
      const first = hash()
      writeFiles(workspace, { "lib/z.mjs": files["lib/z.mjs"], "lib/other.ts": "changed" })
      expect(hash()).toBe(first)
      writeFiles(workspace, { "lib/z.mjs": "changed" })
      const second = hash()
      expect(second).not.toBe(first)
      writeFiles(workspace, { "senses/a/migrations/002.sql": "" })
      expect(hash()).not.toBe(second)
    })
  )

  it.scoped("are entered by compute before index, TypeScript before JavaScript", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace({ "a/index.ts": "", "a/compute.js": "", "b/index.mjs": "" })
      const names = ["compute", "index"]
      expect(findEntry(join(workspace, "a"), names)).toBe(join(workspace, "a/compute.js"))
      expect(findEntry(join(workspace, "b"), names)).toBe(join(workspace, "b/index.mjs"))
      expect(findEntry(join(workspace, "c"), names)).toBeUndefined()
    })
  )
})
