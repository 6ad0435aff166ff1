/**
 * Streams beside the public reference server on its file storage, with the same messages: how long an event is on its way to readers
 * over server-sent events, and how fast a reader catches up.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { type Figure, leastRatio, most } from "./Figure.js"
import { startHelper } from "./Helper.js"
import { alternate, median } from "./rounds.js"
import type { Scenario } from "./Scenario.js"
import { startHubProcess, startReferenceStreams } from "./servers.js"
import type { Place, StreamsAnswer, StreamsJob } from "./streamsHelper.js"
import { temporaryFolder } from "./temporaryFolder.js"

const beside = "@durable-streams/server, files"

export const streams: Scenario = {
  name: "streams",
  about: "readers of a stream beside @durable-streams/server",
  run: ({ sizes: { rounds, streamReaders, streamMessages, caughtUp } }) =>
    Effect.gen(function* () {
      const client = yield* startHelper<StreamsJob, StreamsAnswer>("./streamsHelper.js")
      const folder = yield* temporaryFolder
      writeFileSync(join(folder, "mound.yaml"), "streams:\n  enabled: true\n")
      const hubProcess = yield* startHubProcess(folder)
      const referenceProcess = yield* startReferenceStreams(yield* temporaryFolder)
      const read = "/v1/stream/bench"
      const hub: Place = {
        port: hubProcess.port,
        post: "/claims",
        read: "/v1/stream/%24all",
        isCommand: true
      }
      const reference: Place = { port: referenceProcess.port, post: read, read, isCommand: false }
      yield* makeStream(`http://127.0.0.1:${reference.port}${read}`)

      const figures: Array<Figure> = []
      for (const readers of streamReaders) {
        const job = { step: "fan out", readers, messages: streamMessages, perSecond: 100 } as const
        const { ours, theirs } = yield* alternate(
          { warmUps: 0, counted: 1 },
          { ours: client({ ...hub, ...job }), theirs: client({ ...reference, ...job }) }
        )
        const p99 = (answers: ReadonlyArray<StreamsAnswer>) =>
          median(
            answers.map(
              ({ latenciesMs }) => latenciesMs[Math.floor(0.99 * (latenciesMs.length - 1))] ?? Number.NaN
            )
          )
        const rate = (answers: ReadonlyArray<StreamsAnswer>) =>
          median(answers.map(({ tookMs }) => (1_000 * streamMessages) / tookMs))
        const what = `${readers} ${readers === 1 ? "reader" : "readers"}, 100 appends a second`
        figures.push(
          {
            what: `${what}: p99 of delivery`,
            value: p99(ours),
            unit: "ms",
            beside: { what: beside, value: p99(theirs) },
            ...(readers === 100 && { target: most(50) })
          },
          {
            what: `${what}: kept`,
            value: rate(ours),
            unit: "appends/s",
            beside: { what: beside, value: rate(theirs) }
          },
          {
            what: `${what}: missed`,
            value: ours.reduce((sum, { missed }) => sum + missed, 0),
            unit: "events",
            target: most(0)
          }
        )
      }

      for (const place of [hub, reference]) yield* client({ ...place, step: "fill", messages: caughtUp })
      const whole = (place: Place) =>
        Effect.map(client({ ...place, step: "catch up", messages: caughtUp }), ({ tookMs, missed }) => {
          if (missed > 0) throw new Error(`${missed} messages are missing`)
          return tookMs
        })
      const caught = yield* alternate(rounds, { ours: whole(hub), theirs: whole(reference) })
      // Each holds a little more than was filled in: what was fanned out before.
      const perSecond = (times: ReadonlyArray<number>) => (1_000 * caughtUp) / median(times)
      figures.push({
        what: `catch-up of ${caughtUp.toLocaleString("en-US")} events`,
        value: perSecond(caught.ours),
        unit: "events/s",
        beside: { what: beside, value: perSecond(caught.theirs) },
        target: leastRatio(1)
      })
      return figures
    })
}

const makeStream = (url: string): Effect.Effect<void> =>
  Effect.promise(async () => {
    await fetch(url, { method: "PUT", headers: { "Content-Type": "application/json" } })
  })
