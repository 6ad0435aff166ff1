/** The HTTP server of a hub, with everything that its routes stand on. */
import type { Effect } from "effect"
import { makeAccess } from "../http/Access.js"
import { api } from "../http/api.js"
import { makeClaimHandlers } from "../http/claimHandlers.js"
import { Followers } from "../http/Followers.js"
import { type HttpLimits, type HttpServer, makeHttpServer } from "../http/HttpServer.js"
import { makeHubHandlers } from "../http/hubHandlers.js"
import { makeLedgerRoutes } from "../http/ledgerRoutes.js"
import { makeApiServer } from "../http/serve.js"
import type { HubParts } from "./HubParts.js"

/** The most that a command's body may hold, but for a deposit with its payload (contracts: hub 5). */
const maxCommandBytes = 1024 * 1024

export const makeHubServer = (
  parts: HubParts,
  token: string | undefined,
  limits?: HttpLimits
): Effect.Effect<HttpServer> => {
  const { settings, system, journal, projector, clock, claimKind, hubKind, hub, sweeper, onDefect } = parts
  const now = clock.now
  const handlers = {
    ...makeClaimHandlers({ system, kind: claimKind, journal, projector, now }),
    ...makeHubHandlers({
      system,
      journal,
      projector,
      now,
      claimKind,
      hubKind,
      hub,
      sweep: ({ floor, dryRun }) => sweeper.run({ floor, isDryRun: dryRun }),
      rebuild: parts.rebuild
    })
  }
  const index = claimKind.index
  const maxDepositBytes = Math.min(settings["ledger.max_body_bytes"], settings["http.max_body"])
  const services = {
    followers: new Followers(),
    access: makeAccess({
      allowedHosts: settings["http.allowed_hosts"],
      allowedOrigins: settings["http.allowed_origins"],
      token
    }),
    api: makeApiServer(api, handlers, {
      maxBodyBytes: Math.min(maxCommandBytes, settings["http.max_body"]),
      maxDepositBytes,
      onDefect
    }),
    ledger: makeLedgerRoutes({
      system,
      kind: claimKind,
      projector,
      now,
      maxBodyBytes: maxDepositBytes,
      preclaim: settings["ledger.preclaim"],
      listClaimed: settings["ledger.list_claimed"],
      ttlMs: settings["ledger.compat_ttl"] ?? null,
      onDefect
    }),
    journal,
    hub,
    onDefect,
    isWritable: () => system.outage() === undefined,
    marks: () => ({
      listed: index.listed,
      claimed: index.count("held.active", "held.grace", "held.offered", "done")
    })
  }
  return makeHttpServer(services, limits)
}
