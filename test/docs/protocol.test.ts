import { readFileSync } from "node:fs"
import { HttpApi } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { api } from "../../src/http/api.js"
import { statuses } from "../../src/http/refusals.js"

const page = readFileSync(new URL("../../docs/protocol.md", import.meta.url), "utf8")

/** The request cells of the page's tables: `GET /claims`; a cell may name a sibling by its last word. */
const named = [
  ...page.matchAll(/^\| `(GET|POST|PATCH|DELETE) ([^`[]+)[^`]*`(?:, `\.\.\.\/(\w+)`)?/gm)
].flatMap(([, method, path = "", sibling]) => [
  `${method} ${path}`,
  ...(sibling === undefined ? [] : [`${method} ${path.replace(/\w+$/, sibling)}`])
])

describe("docs/protocol.md", () => {
  it("names every route of the typed protocol, and no other", () => {
    const routes: Array<string> = []
    HttpApi.reflect(api, {
      onGroup: () => {},
      onEndpoint: ({ endpoint }) => routes.push(`${endpoint.method} ${endpoint.path}`)
    })
    const others = [
      "/blobs",
      "/blobs/:sha256",
      "/pheromones",
      "/pheromones/:id/claim",
      "/pheromones/:id/inflate",
      "/stream",
      "/healthz",
      "/livez",
      "/readyz",
      "/metrics",
      "/peers/:personality/events",
      "/mcp"
    ]
    // The journal has a section of its own instead of a row.
    expect(page).toContain("`GET /journal?after=")
    const typed = named.filter((route) => !others.some((other) => route.endsWith(` ${other}`)))
    expect([...typed, "GET /journal"].sort()).toEqual(routes.sort())
  })

  it("names every reason for a refusal in the row of its status", () => {
    for (const [tag, status] of Object.entries(statuses)) {
      const rows = page.split("\n").filter((line) => new RegExp(`^\\| [\\d, ]*${status}\\b`).test(line))
      expect([tag, status, rows.some((row) => row.includes(`\`${tag}\``))]).toEqual([tag, status, true])
    }
  })

  it("names every word of the old protocol", () => {
    const words = readFileSync(new URL("../../src/http/ledgerRoutes.ts", import.meta.url), "utf8")
    const said = [...words.matchAll(/: "([a-z][a-z_ -]+)",?$/gm)].map(([, word]) => word)
    expect(said.length).toBeGreaterThan(8)
    for (const word of said) expect(page).toContain(`\`${word}\``)
  })
})
