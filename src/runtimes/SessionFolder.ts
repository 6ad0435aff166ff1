/**
 * A session's folder, and the wrapper that its child runs in. The wrapper outlives the hub: it writes its pid before the child
 * starts and the exit code after it, so that an end is known also to a hub that was dead when it came (contracts: peers 4).
 */
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync
} from "node:fs"
import { constants } from "node:os"
import { join } from "node:path"
import { findByArgument, nameProcess, type ProcessName } from "./ProcessTable.js"

/** Its name in the process list, before the session's folder and the command. */
export const wrapperName = "mound-session"

/**
 * Traps are set, not ignored: the wrapper waits for its child, which gets the signals by itself. The FIFO is opened for reading and
 * writing, so the child never reads an end of file. On a terminal the child has that.
 */
export const wrapperScript = `trap : TERM INT HUP
dir=$1; shift
[ -t 0 ] || [ -p "$dir/in" ] || mkfifo -m 600 "$dir/in" || exit 126
echo $$ > "$dir/pid.new" && mv "$dir/pid.new" "$dir/pid" || exit 126
if [ -t 0 ]; then "$@"; else "$@" <>"$dir/in" >>"$dir/out" 2>&1; fi
code=$?
echo $code > "$dir/exit.new" && mv "$dir/exit.new" "$dir/exit"
exit $code`

export interface Exit {
  readonly code: number | null
  readonly signal: string | null
}

type Written = "token" | "seeded" | "identity" | "mcp.json" | "heard"
type FileName = "in" | "out" | "pid" | "exit" | Written

export class SessionFolder {
  readonly path: string

  constructor(
    readonly root: string,
    readonly sessionId: string
  ) {
    this.path = join(root, sessionId)
  }

  file(name: FileName): string {
    return join(this.path, name)
  }

  get exists(): boolean {
    return existsSync(this.path)
  }

  create(identity: string): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 })
    this.write("identity", identity)
  }

  has(name: "seeded" | "exit" | "pid"): boolean {
    return existsSync(this.file(name))
  }

  read(name: "pid" | "exit" | Written): string | undefined {
    try {
      return readFileSync(this.file(name), "utf8").trim()
    } catch {
      return undefined
    }
  }

  /** Whole or not at all, whatever comes between. */
  write(name: Written, text: string): void {
    const temporary = `${this.file(name)}.new`
    const descriptor = openSync(temporary, "w", 0o600)
    writeSync(descriptor, text)
    fsyncSync(descriptor)
    closeSync(descriptor)
    renameSync(temporary, this.file(name))
  }

  /** The wrapper, if it runs: by the pid that it wrote, or by its command line when it had no time to. */
  wrapper(): ProcessName | undefined {
    const written = Number(this.read("pid"))
    if (written > 0) {
      const name = nameProcess(written)
      return name && isWrapperOf(name.pid, this.path) ? name : undefined
    }
    const found = findByArgument((argument) => argument === this.path).find(({ argv }) =>
      isWrapper(argv, this.path)
    )
    return found && nameProcess(found.pid)
  }

  /** How the child ended, once the wrapper has said so. */
  exit(): Exit | undefined {
    const text = this.read("exit")
    return text === undefined || text === "" ? undefined : toExit(Number(text))
  }

  /** Size and time of the newest output. */
  output(): { readonly size: number; readonly modifiedAt: number } {
    const stat = statSync(this.file("out"), { throwIfNoEntry: false })
    return { size: stat?.size ?? 0, modifiedAt: stat ? Math.floor(stat.mtimeMs) : 0 }
  }

  /** Moves its output aside: the child goes on writing at the beginning of an empty file. */
  cutOutput(): void {
    copyFileSync(this.file("out"), `${this.file("out")}.1`)
    truncateSync(this.file("out"), 0)
  }

  /** The last bytes of what it wrote. */
  tail(bytes: number): string {
    const { size } = this.output()
    if (size === 0) return ""
    const file = openSync(this.file("out"), "r")
    try {
      const buffer = Buffer.alloc(Math.min(bytes, size))
      const length = readSync(file, buffer, 0, buffer.length, size - buffer.length)
      return buffer.toString("utf8", 0, length)
    } finally {
      closeSync(file)
    }
  }
}

const isWrapperOf = (pid: number, path: string): boolean =>
  isWrapper(readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0"), path)

/** By the place of its arguments: the tmux server that started it has them all too, further behind. */
const isWrapper = (argv: ReadonlyArray<string>, path: string): boolean =>
  argv[3] === wrapperName && argv[4] === path

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]))

/** A shell tells a signal as 128 and its number. */
const toExit = (status: number): Exit => {
  const signal = status > 128 ? signalNames.get((status - 128) as never) : undefined
  return signal === undefined ? { code: status, signal: null } : { code: null, signal }
}

/** Removes all but the newest folders of an identity. */
export const pruneSessions = (root: string, identity: string, kept: number, open: string): void => {
  const own = readdirSync(root).filter((id) => new SessionFolder(root, id).read("identity") === identity)
  for (const id of own.sort().slice(0, -kept)) {
    if (id !== open) rmSync(join(root, id), { recursive: true, force: true })
  }
}
