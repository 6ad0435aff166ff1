/** What the routes of streams and servers answer while they are switched off: the old server's bodies, and what to do (contracts: streams 5.1). */
import type { IncomingMessage, ServerResponse } from "node:http"
import { discardBody, sendJson } from "./respond.js"

const fix = "set streams.enabled: true in mound.yaml and restart the hub"

export const refuseServers = (request: IncomingMessage, response: ServerResponse): void => {
  discardBody(request, response)
  const message = "Enable experimental.durableStreams in config"
  sendJson(response, 400, { error: "durableStreams not enabled", message, fix })
}

export const refuseStreams = (request: IncomingMessage, response: ServerResponse): void => {
  discardBody(request, response)
  const message = "Enable experimental.durableStreams in config to use this endpoint"
  sendJson(response, 400, { error: "DurableStreamsDisabled", message, fix })
}
