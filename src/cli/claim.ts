/** `mound claim`: marks and leases from the shell (contracts: ledger 5.6). */
import { Command } from "@effect/cli"
import { exec } from "./claimExec.js"
import { next, reclaim, take } from "./claimGrants.js"
import { handoff } from "./claimHandoff.js"
import { complete, fail, release, renew, verify } from "./claimHolding.js"
import { deposit, evaporate, inflate, list, reopen, revoke, show } from "./claimMarks.js"

export const claim = Command.make("claim").pipe(
  Command.withDescription("marks, and leases on the work that they stand for"),
  Command.withSubcommands([
    deposit,
    list,
    show,
    take,
    next,
    exec,
    renew,
    verify,
    release,
    complete,
    fail,
    reclaim,
    handoff,
    inflate,
    revoke,
    reopen,
    evaporate
  ])
)
