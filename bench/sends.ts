/** Commands to claims through the actor system of a whole hub: machine, chain, projections and deadlines included, synced to disk. */
import { Effect } from "effect"
import type { ClaimCommand } from "../src/actors/claim/ClaimCommand.js"
import type { Offset } from "../src/events/Event.js"
import type { HubParts } from "../src/hub/HubParts.js"
import { least } from "./Figure.js"
import { startHubHere } from "./hubHere.js"
import { mark } from "./mark.js"
import { alternate, median, rateOf } from "./rounds.js"
import type { Scenario } from "./Scenario.js"
import { temporaryFolder } from "./temporaryFolder.js"

export const sends: Scenario = {
  name: "sends",
  about: "commands to claims, everything included: deposit, claim under a lease, complete",
  run: ({ sizes: { rounds, roundMs } }) =>
    Effect.gen(function* () {
      const parts = yield* startHubHere(yield* temporaryFolder)
      const claim = makeClaimant(parts)
      const commands = (callers: number) =>
        Effect.map(rateOf(callers, roundMs, claim), (claims) => claims * commandsEach)
      const rates = yield* alternate(rounds, {
        lone: commands(1),
        busy: commands(32),
        crowded: commands(256)
      })
      const unit = "commands/s"
      return [
        { what: "1 caller", value: median(rates.lone), unit },
        { what: "32 callers", value: median(rates.busy), unit, target: least(10_000) },
        { what: "256 callers", value: median(rates.crowded), unit, target: least(10_000) }
      ]
    })
}

/** Commands in the life of one claim below. */
const commandsEach = 3

/** Takes one new claim through its life. */
const makeClaimant = ({ system, claimKind }: HubParts) => {
  let claims = 0
  return Effect.fnUntraced(function* () {
    const id = `claim-${++claims}`
    const send = (command: ClaimCommand) => system.send(claimKind, id, command, { by: "ada" })
    yield* send({ type: "DepositPheromone", record: mark(id) })
    const { events } = yield* send({ type: "ClaimWork", peer: "ada" })
    const token = events[0]?.offset as Offset
    yield* send({ type: "CompleteClaim", token, summary: "done" })
  }, Effect.orDie)
}
