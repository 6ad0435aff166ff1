/** The hub's Unix socket: the whole api for whoever may open a file of its owner's, without a token (contracts: hub 2, 5). */
import { chmodSync, rmSync } from "node:fs"
import type { Server } from "node:http"
import { Effect } from "effect"
import type { Access } from "./Access.js"

/** The longest path that a socket can have on every system. */
export const maxSocketPathBytes = 103

/**
 * What a request on the socket is held to: no web page gets there, and whoever opens the file is its owner. One that shows no token
 * has the operator's, which its owner could read from the file beside the socket. One that shows a token may do what that one may.
 */
export const ownerAccess = (access: Access, operatorToken: string | undefined): Access => ({
  ...access,
  check: (request, needOf) => {
    if (operatorToken !== undefined) request.headers.authorization ??= `Bearer ${operatorToken}`
    return access.lack(request, needOf())
  },
  isTrusted: () => true,
  sharing: () => undefined
})

/**
 * Listens at a path, in place of what a hub that was killed has left there; only the holder of the lock may ask for that. Answers
 * with what kept it from listening, if anything did: the hub can do without.
 */
export const listenOnSocket = (server: Server, path: string): Effect.Effect<string | undefined> =>
  Effect.async((resume) => {
    if (Buffer.byteLength(path) > maxSocketPathBytes) {
      return resume(Effect.succeed(`its path has more than ${maxSocketPathBytes} bytes`))
    }
    const onError = (error: Error) => resume(Effect.succeed(error.message))
    server.once("error", onError)
    rmSync(path, { force: true })
    server.listen({ path }, () => {
      server.off("error", onError)
      // The folder lets nobody else in; this holds where it was opened up.
      chmodSync(path, 0o600)
      resume(Effect.succeed(undefined))
    })
  })
