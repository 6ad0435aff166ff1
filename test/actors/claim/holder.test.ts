/** Whoever has proved to be a peer ends and keeps that peer's claims alone: their tokens are no secret (contracts: ledger 4). */
import { describe, expect, it } from "@effect/vitest"
import {
  completed,
  deposited,
  evaporated,
  failed,
  granted,
  offered,
  released,
  withdrawn
} from "../../support/claimFacts.js"
import { type Asked, given, pause } from "../../support/claimStory.js"

type Held = Extract<
  Asked,
  { readonly type: "RenewClaim" | "ReleaseClaim" | "CompleteClaim" | "FailClaim" | "OfferHandoff" }
>

const commands: ReadonlyArray<Held> = [
  { type: "RenewClaim", token: 2 },
  { type: "ReleaseClaim", token: 2 },
  { type: "CompleteClaim", token: 2 },
  { type: "FailClaim", token: 2, reason: "broken" },
  { type: "OfferHandoff", token: 2, to: "bob" }
]

describe("a command of a claim's holder", () => {
  const held = given(deposited(), granted("ann"), pause(30_000))

  it.each(commands.map((command) => [command.type, command] as const))(
    "%s is refused to one who has proved to be another",
    (_, command) => {
      const refused = { decision: { _tag: "Refuse", reason: { _tag: "NotAllowed" } } }
      expect(held.when({ ...command, holder: "bob" })).toMatchObject(refused)
      expect(held.when({ ...command, holder: "ann" })).toMatchObject({ decision: { _tag: "Accept" } })
      expect(held.when(command)).toMatchObject({ decision: { _tag: "Accept" } })
    }
  )

  it("is told that its token is stale before it is told that it is another's", () => {
    held.when({ type: "ReleaseClaim", token: 1, holder: "bob" }).thenRefused("StaleToken")
  })

  it("withdraws and completes for its holder alone, also what was swept while it was held", () => {
    const withdraw: Asked = { type: "WithdrawHandoff", token: 2 }
    const offer = held.and(offered())
    expect(offer.when({ ...withdraw, holder: "bob" })).toMatchObject({ decision: { _tag: "Refuse" } })
    offer.when({ ...withdraw, holder: "ann" }).thenHappens(withdrawn())
    const swept = given(deposited(), granted("ann", { ttlMs: null }), evaporated())
    const complete: Asked = { type: "CompleteClaim", token: 2 }
    expect(swept.when({ ...complete, holder: "bob" })).toMatchObject({ decision: { _tag: "Refuse" } })
    swept.when({ ...complete, holder: "ann" }).thenHappens(completed())
    held.when({ type: "ReleaseClaim", token: 2, holder: "ann" }).thenHappens(released())
    held.when({ type: "FailClaim", token: 2, reason: "broken", holder: "ann" }).thenHappens(failed())
  })
})
