import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks",
    // Test files share their process, since loading what they import is a third of the work. Many wait for real processes: one more
    // than there are cores keeps the cores busy.
    poolOptions: { forks: { isolate: false, maxForks: 3, minForks: 1 } },
    // A verb takes a third of a second, most of it starting; on a machine that is busy with other things several seconds.
    testTimeout: 120_000,
    hookTimeout: 60_000,
    reporters: ["default", "./test/support/countReporter.ts"]
  }
})
