/** Writes `docs/machines.md`. */
import { writeFileSync } from "node:fs"
import { machinesPage } from "./machineChart.js"
import { machines } from "./machines.js"

writeFileSync("docs/machines.md", machinesPage(machines))
