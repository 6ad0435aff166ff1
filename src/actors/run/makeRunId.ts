/** A run's id: a ULID, so that ids sort by the time of their request. */
import { Effect, Random } from "effect"

const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
const timeDigits = 10
const chanceDigits = 16

export const makeRunId = (now: number): Effect.Effect<string> =>
  Effect.map(Effect.replicateEffect(Random.nextIntBetween(0, digits.length), chanceDigits), (numbers) => {
    let time = ""
    for (let rest = now; time.length < timeDigits; rest = Math.floor(rest / digits.length)) {
      time = digits.charAt(rest % digits.length) + time
    }
    return time + numbers.map((number) => digits.charAt(number)).join("")
  })
