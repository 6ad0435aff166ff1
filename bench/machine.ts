/** The machine that figures were measured on: without it they say nothing. */
import { readFileSync, statfsSync } from "node:fs"
import { cpus, tmpdir, totalmem } from "node:os"
import { version } from "../src/version.js"

export interface Machine {
  readonly mound: string
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly node: string
  readonly platform: string
  readonly filesystem: string
}

export const describeMachine = (): Machine => ({
  mound: version,
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 1024 ** 3),
  node: process.version,
  platform: `${process.platform} ${process.arch}`,
  filesystem: filesystemOf(tmpdir())
})

export const machineLine = ({ cpu, cores, memoryGiB, node, platform, filesystem }: Machine): string =>
  `${cpu}, ${cores} cores, ${memoryGiB} GiB; node ${node} on ${platform}; journals on ${filesystem}`

/** The type of the file system that a folder is on: as mounted where the system says so, else its number. */
const filesystemOf = (folder: string): string => {
  try {
    const mounts = readFileSync("/proc/self/mounts", "utf8")
      .split("\n")
      .map((line) => line.split(" "))
    const holds = (place: string) => place === "/" || folder === place || folder.startsWith(`${place}/`)
    const [, , type] = mounts
      .filter(([, place]) => place !== undefined && holds(place))
      .reduce<ReadonlyArray<string>>(
        (best, each) => ((each[1] ?? "").length >= (best[1] ?? "").length ? each : best),
        []
      )
    if (type !== undefined) return type
  } catch {
    // Not Linux: the number will have to do.
  }
  return `type 0x${statfsSync(folder).type.toString(16)}`
}
