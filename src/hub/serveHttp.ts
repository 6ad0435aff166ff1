/** The HTTP server of a hub, with everything that its routes stand on. */
import { Effect } from "effect"
import { Refused } from "../actors/Refused.js"
import { JournalUnavailable } from "../events/Journal.js"
import { makeAccess } from "../http/Access.js"
import { api } from "../http/api.js"
import { makeBlobRoutes } from "../http/blobRoutes.js"
import { makeClaimHandlers } from "../http/claimHandlers.js"
import { type HttpServer, makeHttpServer } from "../http/HttpServer.js"
import { makeHubHandlers } from "../http/hubHandlers.js"
import { makeLedgerRoutes } from "../http/ledgerRoutes.js"
import { makeRunHandlers } from "../http/runHandlers.js"
import { makeSenseHandlers } from "../http/senseHandlers.js"
import { makeApiServer } from "../http/serve.js"
import { toOutput } from "../runtimes/recordable.js"
import type { HubParts } from "./HubParts.js"

export const makeHubServer = (parts: HubParts, token: string | undefined): Effect.Effect<HttpServer> => {
  const { settings, system, journal, projector, clock, claimKind, hubKind, hub, sweeper, onDefect } = parts
  const now = clock.now
  const handlers = {
    ...makeClaimHandlers({ system, kind: claimKind, journal, projector, now }),
    ...makeSenseHandlers({
      system,
      journal,
      projector,
      now,
      kind: parts.senseKind,
      reload: parts.senses.world.groups.reload,
      config: () => parts.configuration.current().config,
      reloadConfig: Effect.mapError(
        parts.configuration.reload,
        ({ errors }) => new Refused({ reason: { _tag: "ConfigRejected", errors } as const })
      )
    }),
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
    }),
    ...makeRunHandlers({
      system,
      journal,
      projector,
      now,
      workflowKind: parts.workflowKind,
      runKind: parts.runKind,
      blobs: parts.blobs,
      reload: (workflow) => parts.runs.reload(workflow, "operator"),
      keepOutput: (content, meta) =>
        Effect.mapError(
          toOutput(parts.blobs, content, meta),
          ({ problem }) => new JournalUnavailable({ reason: "io", detail: problem })
        )
    })
  }
  const index = claimKind.index
  return makeHttpServer({
    access: makeAccess({
      allowedHosts: settings["http.allowed_hosts"],
      allowedOrigins: settings["http.allowed_origins"],
      token
    }),
    api: makeApiServer(api, handlers, { maxBodyBytes: settings["http.max_body"], onDefect }),
    ledger: makeLedgerRoutes({
      system,
      kind: claimKind,
      projector,
      now,
      maxBodyBytes: Math.min(settings["ledger.max_body_bytes"], settings["http.max_body"]),
      preclaim: settings["ledger.preclaim"],
      listClaimed: settings["ledger.list_claimed"],
      ttlMs: settings["ledger.compat_ttl"] ?? null,
      onDefect
    }),
    blobs: makeBlobRoutes(parts.blobs, settings["http.max_body"]),
    journal,
    hub,
    isWritable: () => system.outage() === undefined,
    marks: () => ({
      listed: index.listed,
      claimed: index.count("held.active", "held.grace", "held.offered", "done")
    })
  })
}
