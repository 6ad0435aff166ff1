/** `mound dev`: the hub in the foreground; prints its url, then one line an event (contracts: hub 3.4). */
import { Command, Options } from "@effect/cli"
import { Effect, type Scope } from "effect"
import type { RecordedEvent } from "../events/Event.js"
import { forEachPage } from "../events/Journal.js"
import type { HubHandle } from "../hub/startHub.js"
import { json, workspace } from "./common.js"
import { eventLine } from "./eventLine.js"
import { runForeground } from "./foreground.js"
import { hubOptions, loadHubSettings } from "./hubOptions.js"

const options = {
  ...hubOptions,
  quiet: Options.boolean("quiet").pipe(Options.withDescription("print no events")),
  workspace,
  json
}

export const dev = Command.make("dev", options, ({ quiet, json, ...given }) =>
  Effect.gen(function* () {
    const loaded = yield* loadHubSettings(given)
    yield* runForeground(loaded, json, (hub) => (quiet ? Effect.void : printEvents(hub, json)))
  })
).pipe(Command.withDescription("run the hub in the foreground; Ctrl-C drains and ends it"))

/** From the first event of this boot on; where the hub is stands on a line of its own before them. */
const printEvents = (
  { parts, before }: HubHandle,
  asJson: boolean
): Effect.Effect<void, never, Scope.Scope> => {
  const { journal } = parts
  // Nobody reads any more: that is no reason to end a hub that others use.
  process.stdout.on("error", () => {})
  const lineOf = (event: RecordedEvent) => `${asJson ? event.json : eventLine(event)}\n`
  return forEachPage(journal, before, (page) =>
    Effect.sync(() => process.stdout.write(page.map(lineOf).join("")))
  ).pipe(Effect.ignore, Effect.forkScoped, Effect.asVoid)
}
