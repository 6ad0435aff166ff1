/** The `mound` binary: a verb's name decides what is loaded, so that a small verb answers at once. */
import { runCli } from "./cli/runCli.js"

runCli("mound", process.argv)
