/** The process of a group of senses: what `ForkedSenseGroups` starts. */
import { Effect } from "effect"
import { SenseHost } from "./SenseHost.js"
import { senseProtocol } from "./senseProtocol.js"
import { serveHub } from "./serveHub.js"

const host = new SenseHost(process.cwd())

Effect.runFork(
  serveHub(senseProtocol, {
    onMessage: (message, hub) => {
      switch (message.type) {
        case "Load":
          return Effect.flatMap(host.load(message), hub.send)
        case "Compute": {
          const { sense, token } = message
          // Said before user code is called: it may never give the process back.
          return hub
            .send({ type: "Began", sense, token })
            .pipe(Effect.zipRight(host.compute(message)), Effect.flatMap(hub.send))
        }
        case "Abort":
          return Effect.sync(() => host.abort(message.token))
      }
    }
  })
)
