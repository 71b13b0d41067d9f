import type { Reporter, TestModule } from "vitest/node";

/** Prints a line for each test that was left out with a reason: `skipped: NAME: REASON`. `.ci/run` wants one for each. */
export default class LeftOut implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const module of modules) {
      for (const test of module.children.allTests("skipped")) {
        const result = test.result();
        // As the JSON report names it.
        const name = test.fullName.replaceAll(" > ", " ");
        if (result.state === "skipped" && result.note !== undefined)
          process.stdout.write(`skipped: ${name}: ${result.note}\n`);
      }
    }
  }
}
