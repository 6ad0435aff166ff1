/** Ids that sort as they were made: 48 bits of time and 80 of chance, in Crockford's base 32. */
import { Effect, Random } from "effect"

const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
const timeDigits = 10
const chanceDigits = 16

export const ulid = (now: number): Effect.Effect<string> =>
  Effect.map(Effect.replicateEffect(Random.nextIntBetween(0, 32), chanceDigits), (chance) => {
    const time = Array.from(
      { length: timeDigits },
      (_, place) => Math.floor(now / 32 ** (timeDigits - 1 - place)) % 32
    )
    return [...time, ...chance].map((digit) => digits[digit]).join("")
  })
