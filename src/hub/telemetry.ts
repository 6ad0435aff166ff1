/** Lets an OpenTelemetry collector see what the hub does, where one is configured; else nothing of it is even loaded. */
import { Effect, type Scope } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import type { Settings } from "../config/Settings.js"
import { noTracing, type Tracing } from "../http/Tracing.js"
import type { Metrics } from "./metrics.js"

export const startTelemetry = (
  settings: Settings,
  metrics: Metrics,
  boot: { readonly version: string; readonly bootId: string }
): Effect.Effect<Tracing, never, Scope.Scope> => {
  const endpoint = settings["telemetry.endpoint"]
  if (endpoint === undefined) return Effect.succeed(noTracing)
  return Effect.flatMap(
    Effect.promise(() => import("../http/otlpExport.js")),
    ({ startExport }) =>
      startExport({
        ...boot,
        endpoint,
        headers: settings.telemetryHeaders,
        serviceName: settings["telemetry.service"],
        everyMs: settings["telemetry.interval"],
        collect: metrics.collect,
        onLost: metrics.telemetryLost
      })
  )
}

/** The same actors, each command of a caller told of as a span. */
export const tracedSystem = (system: ActorSystem["Type"], tracing: Tracing): ActorSystem["Type"] =>
  tracing === noTracing
    ? system
    : {
        ...system,
        send: (kind, id, command, options) =>
          tracing.span(`${kind.name}.${command.type}`, system.send(kind, id, command, options))
      }
