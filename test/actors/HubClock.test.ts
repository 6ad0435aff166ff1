import { describe, expect, it } from "@effect/vitest"
import { Clock, Context, Effect, Layer } from "effect"
import fc from "fast-check"
import * as HubClock from "../../src/actors/HubClock.js"

/** A machine's two clocks: the wall's, which anybody may set, and the monotonic one. */
class Machine {
  wallMs = 1_000_000
  monotonicMs = 5

  /** Time passes: both go on. */
  pass(ms: number): void {
    this.wallMs += ms
    this.monotonicMs += ms
  }
}

const clockOf = (machine: Machine): Clock.Clock => ({
  ...Clock.make(),
  unsafeCurrentTimeMillis: () => machine.wallMs,
  unsafeCurrentTimeNanos: () => BigInt(Math.round(machine.monotonicMs * 1_000_000))
})

const hubClock = (machine: Machine, lastAt = 0): HubClock.HubClock["Type"] =>
  Effect.runSync(
    Effect.scoped(
      Effect.map(Layer.build(HubClock.layer(lastAt)), (context) =>
        Context.get(context, HubClock.HubClock)
      ).pipe(Effect.withClock(clockOf(machine)))
    )
  )

describe("HubClock", () => {
  it("goes on from the journal's last time when the wall clock is behind it", () => {
    const machine = new Machine()
    const clock = hubClock(machine, machine.wallMs + 60_000)
    expect(clock.now()).toBe(1_060_000)
    machine.pass(10)
    expect(clock.now()).toBe(1_060_010)
    expect(clock.stepAhead()).toBe(0)
  })

  it("does not follow the wall clock back, nor ahead before that is recorded", () => {
    const machine = new Machine()
    const clock = hubClock(machine)
    machine.wallMs -= 3_600_000
    machine.pass(10)
    expect(clock.now()).toBe(1_000_010)
    machine.wallMs += 2 * 3_600_000
    expect([clock.now(), clock.stepAhead()]).toEqual([1_000_010, 3_600_000])
    clock.advance(clock.stepAhead())
    expect([clock.now(), clock.stepAhead()]).toEqual([4_600_010, 0])
  })

  it("calls two seconds ahead no step yet: clocks are slewed", () => {
    const machine = new Machine()
    const clock = hubClock(machine)
    machine.wallMs += 2_000
    expect(clock.stepAhead()).toBe(0)
    machine.wallMs += 1
    expect(clock.stepAhead()).toBe(2_001)
  })

  it("never runs backwards, whatever the wall clock does, over any number of boots", () => {
    const moves = fc.array(
      fc.oneof(
        fc.record({ pass: fc.nat(100_000) }),
        fc.record({ set: fc.integer({ min: -10_000_000, max: 10_000_000 }) }),
        fc.constant("record" as const),
        fc.constant("boot" as const)
      )
    )
    fc.assert(
      fc.property(moves, (all) => {
        const machine = new Machine()
        let clock = hubClock(machine)
        let last = clock.now()
        for (const move of all) {
          if (move === "boot") clock = hubClock(machine, last)
          else if (move === "record") clock.advance(clock.stepAhead())
          else if ("pass" in move) machine.pass(move.pass)
          else machine.wallMs += move.set
          expect(clock.now()).toBeGreaterThanOrEqual(last)
          last = clock.now()
        }
      })
    )
  })
})
