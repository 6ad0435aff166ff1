/** `mound peer`: agents from the shell (contracts: peers 5). Each verb is one request to the hub, or a few. */
import { Command } from "@effect/cli"
import { list, runtimes, why } from "./peerLook.js"
import { newSession, refresh, reset, start, stop, wake } from "./peerMove.js"
import { register, remove } from "./peerRegister.js"
import { send } from "./peerSend.js"
import { attach, compact, interrupt, logs, selfDone, selfFresh } from "./peerSession.js"

export const peer = Command.make("peer").pipe(
  Command.withDescription("agents: registered once, woken by messages, watched while they live"),
  Command.withSubcommands([
    list,
    register,
    remove,
    wake,
    newSession,
    stop,
    start,
    refresh,
    reset,
    send,
    attach,
    interrupt,
    compact,
    logs,
    selfFresh,
    selfDone,
    why,
    runtimes
  ])
)
