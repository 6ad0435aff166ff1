import { Effect, Random } from "effect"

/** Random lower-case hex digits from the `Random` service, for identities that need not be secret. */
export const randomHex = (digits: number): Effect.Effect<string> =>
  Effect.map(Effect.replicateEffect(Random.nextIntBetween(0, 16), digits), (numbers) =>
    numbers.map((number) => number.toString(16)).join("")
  )
