/** The files of a new workspace: a sense that looks at the load, and a workflow that reports on it. They are real, and small. */

const moundYaml = `# What this hub watches, and what it does about it. \`mound validate\` checks this file; a running hub takes changes at once.
senses:
  load:
    interval: 10s
    throttle: 2s
    timeout: 5s

workflows:
  report:
    concurrency: 1
    overflow: queue
    max_queue: 10
`

const sense = `import { cpus, loadavg } from "node:os"
import type { SenseContext } from "mound/workspace"

/** Load of this machine per CPU, in percent; a signal whenever it has changed by ten points. */
export async function compute({ state, setState }: SenseContext) {
  const percent = Math.round((100 * (loadavg()[0] ?? 0)) / cpus().length)
  const last = typeof state === "number" ? state : undefined
  if (last !== undefined && Math.abs(percent - last) < 10) return null
  setState(percent)
  // A workflow is started by a key "workflow": "name|rounds|prompt". Its other keys go with the run.
  if (percent >= 200) return { workflow: \`report|4|the load is at \${percent} % per CPU\`, percent }
  return { percent }
}
`

const workflow = `import { cpus, loadavg } from "node:os"
import { END } from "mound/workspace"

interface Frame {
  role: string
  content: string
}

/** Looks, then writes down what was seen. A role may do anything; the moderator only chooses who is next. */
export default {
  name: "report",
  roles: {
    observer: async () => ({ content: \`load \${loadavg().map((each) => each.toFixed(2)).join(" ")} on \${cpus().length} CPUs\` }),
    writer: async ({ start, steps }: { start: Frame; steps: Array<Frame> }) => ({
      content: \`Asked: \${start.content}. Seen: \${steps.at(-1)?.content}.\`
    })
  },
  moderator: ({ steps }: { steps: Array<Frame> }) => ["observer", "writer"][steps.length] ?? END
}
`

const tsconfig = `{
  "compilerOptions": {
    "target": "ES2022",
    "module": "ESNext",
    "moduleResolution": "Bundler",
    "strict": true,
    "noEmit": true,
    "skipLibCheck": true,
    "types": ["node"]
  },
  "include": ["senses", "workflows"]
}
`

/** Path to text. */
export const scaffold: { readonly [path: string]: string } = {
  "mound.yaml": moundYaml,
  "senses/load/compute.ts": sense,
  "workflows/report/index.ts": workflow,
  "tsconfig.json": tsconfig,
  ".gitignore": ".mound/\nnode_modules/\n"
}
