/** The program of a workflow's worker process. */
import { Effect } from "effect"
import { serveHub } from "./serveHub.js"
import { WorkflowRunner } from "./WorkflowRunner.js"
import { workflowProtocol } from "./workflowProtocol.js"

const runner = new WorkflowRunner()

// Signals are the channel's affair: a worker that a terminal's Ctrl-C ended would not finish its step.
Effect.runFork(serveHub(workflowProtocol, { onMessage: (message, hub) => runner.handle(message, hub.send) }))
