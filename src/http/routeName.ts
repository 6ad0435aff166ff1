/** The name of a path's route: a label of metrics and spans, so one of a closed set, whatever a caller sends. */

/** Paths that are routes of their own, beside those of the typed protocol. */
const literals: ReadonlySet<string> = new Set([
  "/pheromones",
  "/stream",
  "/livez",
  "/readyz",
  "/healthz",
  "/metrics",
  "/docs",
  "/openapi.json",
  "/mcp",
  "/blobs",
  "/stream/events",
  "/servers"
])

const patterns: ReadonlyArray<readonly [pattern: RegExp, name: string]> = [
  [/^\/pheromones\/[^/]+\/claim$/, "/pheromones/:id/claim"],
  [/^\/pheromones\/[^/]+\/inflate$/, "/pheromones/:id/inflate"],
  [/^\/v1\/stream\//, "/v1/stream/:name"],
  [/^\/servers\/[^/]+$/, "/servers/:id"],
  [/^\/servers\/[^/]+\/heartbeat$/, "/servers/:id/heartbeat"],
  [/^\/blobs\/[^/]+$/, "/blobs/:sha256"]
]

/** `typed` names the routes of the typed protocol. */
export const routeName = (path: string, typed: (path: string) => string | undefined): string =>
  literals.has(path)
    ? path
    : (patterns.find(([pattern]) => pattern.test(path))?.[1] ?? typed(path) ?? "other")
