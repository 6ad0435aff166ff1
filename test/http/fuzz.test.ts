/** Whatever a socket sends: no crash, no leak, and every answer 4xx or right. `npm run fuzz` goes on for as long as it is told. */
import { describe, expect } from "@effect/vitest"
import { fuzz } from "../support/fuzz.js"
import { onHub } from "../support/onHub.js"

describe("a hub that is sent anything", () => {
  for (const seed of [1, 2]) {
    onHub(`answers 4xx or rightly and keeps nothing open (seed ${seed})`, async (hub) => {
      const { faults, statuses } = await fuzz(hub, seed, (sent) => sent >= 250)
      expect(faults).toEqual([])
      for (const status of [200, 201, 400, 404]) expect(statuses.get(status)).toBeGreaterThan(0)
    })
  }
})
