/** Which port a hub listens on: ports are bound, not probed, and the journal remembers the last one (contracts: hub 3.5). */
import { Effect } from "effect"
import type { PortSource } from "../actors/hub/HubEvent.js"
import type { HubContext } from "../actors/hub/hubMachine.js"
import type { Settings } from "../config/Settings.js"
import type { BindFailed, HttpServer } from "../http/HttpServer.js"
import { PortInUse } from "./StartFailure.js"

export interface Bound {
  readonly port: number
  readonly portSource: PortSource
  /** Set when the remembered port was taken. */
  readonly reassigned: { readonly from: number; readonly to: number; readonly cause: string } | null
}

/** An explicit port or none; without one the remembered port, and if that is taken, any that is free. */
export const bind = (
  server: HttpServer,
  settings: Settings,
  { stickyPort }: HubContext
): Effect.Effect<Bound, PortInUse> => {
  const host = settings["http.host"]
  const explicit = settings["http.port"]
  const listen = (port: number) => server.listen(host, port)
  if (explicit !== undefined) {
    const portSource = explicit === 0 ? "ephemeral" : (settings.portSource ?? "config")
    return listen(explicit).pipe(
      Effect.map((port): Bound => ({ port, portSource, reassigned: null })),
      Effect.catchAll(inUse)
    )
  }
  const free = listen(0).pipe(Effect.catchAll(inUse))
  if (stickyPort === null) return Effect.map(free, (port) => ({ port, portSource: "free", reassigned: null }))
  return listen(stickyPort).pipe(
    Effect.map((port): Bound => ({ port, portSource: "sticky", reassigned: null })),
    Effect.catchAll(({ code }) =>
      Effect.map(
        free,
        (port): Bound => ({
          port,
          portSource: "fallback",
          reassigned: { from: stickyPort, to: port, cause: code }
        })
      )
    )
  )
}

const askMs = 1_000

const inUse = ({ host, port, code }: BindFailed): Effect.Effect<never, PortInUse> =>
  Effect.flatMap(hubAt(host, port), (by) => new PortInUse({ host, port, code, by }))

/** The hub that answers at an address, in words; null when none does. */
const hubAt = (host: string, port: number): Effect.Effect<string | null> =>
  Effect.tryPromise(async (signal) => {
    const response = await fetch(`http://${host}:${port}/readyz`, { signal })
    const { bootId, pid } = (await response.json()) as { bootId?: unknown; pid?: unknown }
    return typeof bootId === "string" ? `a hub with pid ${pid}` : null
  }).pipe(
    Effect.timeout(askMs),
    Effect.catchAll(() => Effect.succeed(null))
  )
