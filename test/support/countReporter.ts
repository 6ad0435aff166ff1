/** Ends a run with one plain last line that a script can read. */
import { writeSync } from "node:fs"
import type { Reporter, TestModule } from "vitest/node"

export default class CountReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, errors: ReadonlyArray<unknown>): void {
    let passed = 0
    let failed = errors.length
    for (const module of modules) {
      failed += module.errors().length
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === "passed") passed += 1
        if (state === "failed" || state === "pending") failed += 1
      }
    }
    // After what the other reporters have to say.
    process.once("exit", () => writeSync(1, `${passed} passed, ${failed} failed\n`))
  }
}
