/** What `server.mjs` runs: the hub in place of the old ledger's server. */
import { runDropIn } from "./cli/dropIn.js"

runDropIn()
