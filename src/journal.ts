/** The `journal` binary: `npx journal replay` is `mound journal replay`. */
import { runCli } from "./cli/runCli.js"

runCli("journal", process.argv)
