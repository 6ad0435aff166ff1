/** Anything that a few peers may do to a few claims while time passes, for properties. */
import * as fc from "fast-check"
import type { ClaimCommand } from "../../src/actors/claim/ClaimCommand.js"
import type { Offset } from "../../src/events/Event.js"
import { record } from "./claimFacts.js"
import type { Ledger } from "./ledger.js"

/** A command as if the token of its claim were 0, so that it fits whatever has happened; or time that passes. */
export type Step =
  | { readonly type: "Pass"; readonly ms: number }
  | { readonly type: "Send"; readonly id: string | undefined; readonly command: ClaimCommand }

export const ids = ["a", "b", "c"] as const
const id = fc.constantFrom(...ids)
const peer = fc.constantFrom("ann", "bob", "anonymous")
const reason = fc.constant("why")

/** Mostly the current token, sometimes one off. */
const token = fc.oneof(
  { weight: 6, arbitrary: fc.constant(0) },
  fc.constantFrom(-1, 1)
) as fc.Arbitrary<Offset>

const taker = {
  peer,
  instance: fc.option(fc.constantFrom("1", "2"), { nil: undefined }),
  ttlMs: fc.constantFrom(1_000, 3_000, 60_000, null),
  graceMs: fc.constantFrom(0, 1_000, 5_000)
}

/** Numbers of a size that matters: those of `fc.double` are mostly next to nothing. */
const tenths = (min: number, max: number) => fc.integer({ min, max }).map((n) => n / 10)

/** Any text that JSON can carry: half a surrogate pair and a zero byte too. */
const anyText = fc.string({ unit: fc.constantFrom("a", "é", "😀", "\ud800", "\udc00", "\0", '"') })

const marks = fc
  .record({
    stanceTarget: fc.oneof(fc.constantFrom("review", "build", ""), anyText),
    baseIntensity: tenths(-20, 50),
    decayRate: tenths(0, 20),
    inflations: fc.nat({ max: 3 }),
    payload: fc.jsonValue()
  })
  // As it comes out of a journal: JSON prints -0 as 0.
  .map((fields) => JSON.parse(JSON.stringify(record(fields))))

const of = <Type extends ClaimCommand["type"]>(
  type: Type,
  fields: { readonly [field: string]: fc.Arbitrary<unknown> },
  requiredKeys?: ReadonlyArray<string>
): fc.Arbitrary<ClaimCommand> =>
  fc
    .record(fields, requiredKeys ? { requiredKeys: [...requiredKeys] } : {})
    .map((all) => ({ type, ...all }) as unknown as ClaimCommand)

const commands: fc.Arbitrary<ClaimCommand> = fc.oneof(
  {
    weight: 3,
    arbitrary: of("DepositPheromone", { record: marks, maxAttempts: fc.integer({ min: 1, max: 3 }) }, [
      "record"
    ])
  },
  of("InflatePheromone", {}),
  { weight: 2, arbitrary: of("EvaporatePheromone", { reason }) },
  { weight: 6, arbitrary: of("ClaimWork", { ...taker, preclaim: fc.boolean() }, ["peer", "preclaim"]) },
  { weight: 2, arbitrary: of("RenewClaim", { token }) },
  of("VerifyClaim", { token }),
  of("ReleaseClaim", { token }),
  { weight: 2, arbitrary: of("CompleteClaim", { token }) },
  {
    weight: 4,
    arbitrary: of("FailClaim", { token, reason, retry: fc.boolean(), retryAfterMs: fc.nat({ max: 5_000 }) }, [
      "token",
      "reason",
      "retry"
    ])
  },
  {
    weight: 3,
    arbitrary: of("OfferHandoff", { token, to: peer, offerMs: fc.constantFrom(1_000, 60_000) }, [
      "token",
      "to"
    ])
  },
  of("WithdrawHandoff", { token }),
  { weight: 2, arbitrary: of("DeclineHandoff", { peer }) },
  { weight: 2, arbitrary: of("AcceptHandoff", taker, ["peer"]) },
  of("ReclaimWork", { ...taker, expectedToken: token, reason, force: fc.boolean() }, [
    "peer",
    "expectedToken",
    "reason"
  ]),
  of("RevokeClaim", { reason, token }, ["reason"]),
  { weight: 2, arbitrary: of("ReopenClaim", { reason }) }
)

const next = of(
  "ClaimNext",
  {
    ...taker,
    stances: fc.oneof(fc.constant(["review"]), fc.constant({ build: 0.5, review: 1 })),
    minScore: tenths(-10, 20)
  },
  ["peer"]
)

export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant("Pass" as const), ms: fc.nat({ max: 6_000 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("Send" as const), id: fc.constant(undefined), command: next })
  },
  { weight: 12, arbitrary: fc.record({ type: fc.constant("Send" as const), id, command: commands }) }
)

export const histories = fc.array(step, { minLength: 1, maxLength: 80, size: "max" })

/** The command with its tokens counted from the one that its claim has. */
export const withTokens = (command: ClaimCommand, current: number): ClaimCommand => {
  const from = (relative: number) => Math.max(0, current + relative)
  return {
    ...command,
    ...("token" in command && command.token !== undefined && { token: from(command.token) }),
    ...("expectedToken" in command && { expectedToken: from(command.expectedToken) })
  } as ClaimCommand
}

export const take = (ledger: Ledger, step: Step) => {
  if (step.type === "Pass") return ledger.pass(step.ms)
  const { id, command } = step
  const token = id === undefined ? 0 : (ledger.state(id).context.token ?? 0)
  return ledger.send(id, withTokens(command, token))
}
