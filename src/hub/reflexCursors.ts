/** Where reflexes go on after a restart: kept with the snapshots, since losing them costs as little: events are looked at again. */
import { Effect } from "effect"
import type { Cursors } from "../actors/Reflex.js"
import { makeStreamId, type Offset, type Version } from "../events/Event.js"
import type { Snapshots } from "../events/Snapshots.js"

const kindVersion = 1

export const reflexCursors = (snapshots: Snapshots["Type"]): Cursors => ({
  load: (name) =>
    Effect.map(
      snapshots.latest([makeStreamId("reflex", name)]),
      ([cursor]) => (cursor?.version ?? 0) as number as Offset
    ),
  save: (name, offset) =>
    snapshots.save([
      { stream: makeStreamId("reflex", name), version: offset as number as Version, kindVersion, state: "{}" }
    ])
})
