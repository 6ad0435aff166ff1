/** One row for every server that is not gone (contracts: streams 5.3). When it was last heard of is no event and stands in no row. */
import { idOf, kindOf, makeStreamId } from "../events/Event.js"
import type { Projection } from "./Projection.js"

export const servers: Projection = {
  name: "servers",
  version: 1,
  columns: {
    id: "TEXT",
    state: "TEXT",
    url: "TEXT",
    port: "INTEGER",
    pid: "INTEGER",
    metadata: "TEXT",
    token: "INTEGER",
    heard_at: "INTEGER",
    since: "INTEGER",
    offset: "INTEGER"
  },
  indexes: [],
  keys: ({ stream }) => (kindOf(stream) === "server" ? [idOf(stream)] : []),
  streamOf: (id) => makeStreamId("server", id),
  reduce: (row, { type, data, at, offset, state }, id) => {
    if (state === "gone") return undefined
    const moved = { ...row, id, state, since: at, offset }
    switch (type) {
      case "ServerRegistered":
        return {
          ...moved,
          url: String(data.url),
          port: Number(data.port),
          pid: Number(data.pid),
          metadata: data.metadata === null ? null : JSON.stringify(data.metadata),
          token: offset,
          heard_at: at
        }
      case "ServerRevived":
        return { ...moved, heard_at: at }
      default:
        return moved
    }
  }
}
