import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { machinesPage } from "../../scripts/machineChart.js"
import { machines } from "../../scripts/machines.js"

describe("docs/machines.md", () => {
  it("shows the machines as they are (npm run docs writes it anew)", () => {
    const page = readFileSync(new URL("../../docs/machines.md", import.meta.url), "utf8")
    expect(page).toBe(machinesPage(machines))
  })
})
